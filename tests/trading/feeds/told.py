"""Two markets that are open, and what a reader knows of them after some messages."""

from typing import Any

from tests.streams.arriving import arrived
from tests.trading.feeds.messages import definition, image, mc, price
from trading.feeds.adapter import Oddities, Taken
from trading.feeds.gate import Gate
from trading.feeds.providers.betfair.adapter import Betfair

ONE, TWO = "1.1", "1.2"
BAD_RUNNER = {"id": 11, "atb": [[2.2, -1]]}


def market(name: str, version: int = 100, **changes: Any) -> dict[str, Any]:
    return mc(market=name, d=definition(version=version), rc=[price(11, 1.5, 1.6), price(12, 2.5, 2.6)]) | changes


def bad(name: str = ONE) -> dict[str, Any]:
    return mc(market=name, rc=[BAD_RUNNER])


def part(kind: str, *changes: dict[str, Any], **fields: Any) -> bytes:
    return image(*changes, segmentType=kind, **fields)


OPENING = image(market(ONE), market(TWO))


class Told:
    """What a reader knows after some messages, and what was counted."""

    def __init__(self, *messages: bytes) -> None:
        self.adapter, self.gate = Betfair(), Gate()
        self.status: dict[str, str] = {}
        self.taken: Taken = Taken(None)
        self.counted = dict.fromkeys(Oddities._fields, 0)
        self.take(OPENING, *messages)

    def take(self, *messages: bytes) -> "Told":
        for message in messages:
            self.taken = self.adapter.take(message)
            for update in self.gate.let_through(self.taken):
                arrived("MarketUpdate", {**update})
                self.status[update["market_id"].removeprefix("betfair:")] = update["status"]
            for what, count in self.taken.oddities._asdict().items():
                self.counted[what] += count
        return self

    def trouble(self) -> dict[str, int]:
        return {what: count for what, count in self.counted.items() if count}
