"""The stream behind the interface of all providers."""

from collections.abc import Iterable

from trading.feeds.adapter import Malformed, Oddities, Taken, Update

from .names import Names
from .stream import Changed, Stream
from .updates import PROVIDER, update
from .wire import HEARTBEAT, Message, read, read_document


class Betfair:
    """One subscription to markets."""

    def __init__(self) -> None:
        self.stream = Stream()
        self.names = Names()

    def take(self, message: bytes) -> Taken:
        try:
            told = read(message)
        except Malformed as fault:
            return self._refused(fault)
        if told["op"] == "mcm":
            return self._changed(told)
        if told["op"] == "status" and told.get("statusCode") != "SUCCESS":
            # A subscription that was refused or a connection about to close: nothing keeps the markets up, and what
            # comes after it all the same says nothing of what was missed.
            return Taken(None, is_stale=True, doubted=None, heartbeat=self.stream.heartbeat)
        return Taken(None, heartbeat=self.stream.heartbeat)

    def learn(self, document: bytes) -> None:
        """A market catalogue or a cricket score message."""
        self.names.learn(read_document(document))
        for market in self.stream.markets.values():
            for runner in market.runners.values():
                runner.outcome = None

    def _refused(self, fault: Malformed) -> Taken:
        """Of a message in parts nobody can say what the part that is missing would have been about."""
        self.stream.tear()
        is_about_all = fault.markets is None or self.stream.is_in_parts
        doubted = None if is_about_all else _ids(fault.markets or ())
        return Taken(None, refused=str(fault), doubted=doubted, heartbeat=self.stream.heartbeat)

    def _changed(self, told: Message) -> Taken:
        changed = self.stream.fold(told)
        updates: list[Update] = []
        lost = _ids(changed.gone)
        crossings = 0
        for market in changed.markets:
            if market.definition is None:
                # Its image came without one: what it was called open by is gone.
                lost.append(f"{PROVIDER}:{market.id}")
            else:
                before = market.crossings
                updates.append(update(market, market.definition, self.names))
                crossings += market.crossings - before
        return Taken(
            told["pt"],
            updates,
            lost,
            is_stale=None if self.stream.is_in_parts else self.stream.is_stale,
            is_conflated=_is_conflated(told),
            heartbeat=self.stream.heartbeat,
            is_heartbeat=told.get("ct") == HEARTBEAT,
            doubted=None if changed.is_torn else _ids([*changed.unknown, *changed.missed]),
            images=_ids(changed.images),
            is_image=changed.is_image,
            oddities=_oddities(changed, crossings),
        )


def _ids(markets: Iterable[str]) -> list[str]:
    return [f"{PROVIDER}:{market_id}" for market_id in markets]


def _oddities(changed: Changed, crossings: int) -> Oddities:
    return Oddities(changed.dropped, int(changed.is_torn), len(changed.unknown), crossings)


def _is_conflated(told: Message) -> bool:
    """`con`: we read too slowly, so that several changes came as one. On the message live, on a market as recorded."""
    return bool(told.get("con")) or any(change.get("con") for change in told.get("mc") or ())
