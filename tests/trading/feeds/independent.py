"""Our book and that of betfairlightweight, fed with the same messages, in one form that can be compared.

betfairlightweight is the independent reading: it folds with its own code what we fold with ours.
"""

import logging
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import orjson
from betfairlightweight.streaming.listener import StreamListener

from trading.feeds.providers.betfair.book import Market, Runner
from trading.feeds.providers.betfair.stream import Stream
from trading.feeds.providers.betfair.wire import BY_LEVEL, BY_PRICE, read

# It warns of everything unusual, which is what the tests are made of.
logging.getLogger("betfairlightweight").setLevel(logging.ERROR)

Book = dict[str, Any]

_THEIR_LADDERS = {
    "atb": "available_to_back", "atl": "available_to_lay", "trd": "traded", "spb": "starting_price_back",
    "spl": "starting_price_lay", "batb": "best_available_to_back", "batl": "best_available_to_lay",
    "bdatb": "best_display_available_to_back", "bdatl": "best_display_available_to_lay",
}  # fmt: skip


class Pair:
    """Both readers of one subscription."""

    def __init__(self) -> None:
        self.ours = Stream()
        self._listener = StreamListener(max_latency=None, lightweight=True)
        self._listener.register_stream(0, "marketSubscription")
        # What they serialise anew with every change, and how that reads here.
        self._read: dict[int, tuple[object, Book]] = {}

    def take(self, message: bytes) -> set[str]:
        """Hand it to both; the markets that it names."""
        told = orjson.loads(message)
        if told.get("ct") == "SUB_IMAGE" and told.get("segmentType") in (None, "SEG_START"):
            # Their cache of a new subscription is a new one; ours is told by the message itself.
            self._listener.stream.clear_cache()
        self._listener.on_data(message.decode())
        self.ours.fold(read(message))
        return {change["id"] for change in told.get("mc", ())}

    def clocks(self) -> tuple[tuple[str | None, str | None], tuple[str | None, str | None]]:
        return (self.ours.initial_clk, self.ours.clk), (self._listener.initial_clk, self._listener.clk)

    def differences(self, markets: set[str] | None = None) -> Iterator[str]:
        """What is not the same in the markets (all of them when none are named)."""
        theirs = self._listener.stream._caches
        for market_id in markets if markets is not None else theirs.keys() | self.ours.markets.keys():
            if market_id not in theirs or market_id not in self.ours.markets:
                yield f"{market_id} is only in one of them"
                continue
            yield from _differences(market_id, our_book(self.ours.markets[market_id]), self._book(theirs[market_id]))

    def _book(self, cache: Any) -> Book:
        runners = {f"runner {id_} {hc or 0:g}": self._runner(runner) for (id_, hc), runner in cache.runner_dict.items()}
        return _their_market(cache) | runners

    def _runner(self, runner: Any) -> Book:
        before = self._read.get(id(runner))
        if before is None or before[0] is not runner.serialised:
            before = self._read[id(runner)] = (runner.serialised, _their_runner(runner))
        return before[1]


def our_book(market: Market) -> Book:
    described = market.definition
    return {
        "status": described and described.status,
        "in play": described and described.in_play,
        "bet delay": described and described.bet_delay,
        "version": described and described.version,
        "winners": described and described.winners,
        "each way": described and described.each_way_divisor,
        "matched": market.total_matched or 0,
        **{f"runner {id_} {hc:g}": _our_runner(runner) for (id_, hc), runner in market.runners.items()},
    }


def _our_runner(runner: Runner) -> Book:
    described = runner.definition
    return {
        "status": described and described.status,
        "adjustment": described and described.adjustment_factor,
        "removed": described and described.removed_at,
        "starting price": _number(described.starting_price if described else None),
        "last": runner.amounts.get("ltp"),
        "matched": runner.amounts.get("tv") or 0,
        "near": _number(runner.amounts.get("spn")),
        "far": _number(runner.amounts.get("spf")),
        **{name: runner.ladders[name] for name in BY_PRICE},
        **{name: runner.levels[name] for name in BY_LEVEL},
        "best back": runner.best_back(),
        "best lay": runner.best_lay(),
    }


def _their_market(cache: Any) -> Book:
    said = cache.serialise
    return {
        "status": said["status"],
        "in play": said["inplay"],
        "bet delay": said["betDelay"],
        "version": said["version"],
        "winners": said["numberOfWinners"],
        "each way": cache.market_definition.get("eachWayDivisor"),
        "matched": said["totalMatched"],
    }


def _their_runner(runner: Any) -> Book:
    said = runner.serialised
    ladders = {name: getattr(runner, theirs).order_book for name, theirs in _THEIR_LADDERS.items()}
    return {
        "status": said["status"],
        "adjustment": said["adjustmentFactor"],
        "removed": said["removalDate"],
        "starting price": _number(said["sp"]["actualSP"]),
        "last": said["lastPriceTraded"],
        "matched": said["totalMatched"],
        "near": _number(said["sp"]["nearPrice"]),
        "far": _number(said["sp"]["farPrice"]),
        **{name: {entry[0]: entry[1] for entry in ladders[name].values()} for name in BY_PRICE},
        **{name: {entry[0]: (entry[1], entry[2]) for entry in ladders[name].values()} for name in BY_LEVEL},
        "best back": _first(said["ex"]["availableToBack"]),
        "best lay": _first(said["ex"]["availableToLay"]),
    }


def _first(offers: list[dict[str, float]]) -> tuple[float, float] | None:
    return (offers[0]["price"], offers[0]["size"]) if offers else None


def _number(value: float | str | None) -> str | None:
    """As text: "NaN" is not equal to itself."""
    return None if value is None else str(float(value))


def _differences(where: str, ours: Book, theirs: Book) -> Iterator[str]:
    if ours == theirs:
        return
    for name in ours.keys() | theirs.keys():
        one, other = ours.get(name, "nothing"), theirs.get(name, "nothing")
        if isinstance(one, dict) and isinstance(other, dict) and name.startswith("runner"):
            yield from _differences(f"{where} {name}", one, other)
        elif one != other:
            yield f"{where} {name}: ours {one}, theirs {other}"


def lines_of(*parts: Iterator[bytes]) -> Iterator[bytes]:
    """One message of each part in turn."""
    for group in zip_longest(*parts):
        yield from (message for message in group if message is not None)
