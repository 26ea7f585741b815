"""The stream behind the interface of all providers."""

from trading.feeds.adapter import Taken, Update

from .names import Names
from .stream import Stream
from .updates import PROVIDER, update
from .wire import Message, read, read_document


class Betfair:
    """One subscription to markets."""

    def __init__(self) -> None:
        self.stream = Stream()
        self.names = Names()

    def take(self, message: bytes) -> Taken:
        told = read(message)
        if told["op"] == "mcm":
            return self._changed(told)
        # A subscription that was refused or a connection about to close: nothing keeps the markets up.
        is_failure = told["op"] == "status" and told.get("statusCode") == "FAILURE"
        return Taken(None, is_stale=True if is_failure else None, heartbeat=self.stream.heartbeat)

    def learn(self, document: bytes) -> None:
        """A market catalogue or a cricket score message."""
        self.names.learn(read_document(document))
        for market in self.stream.markets.values():
            for runner in market.runners.values():
                runner.outcome = None

    def _changed(self, told: Message) -> Taken:
        markets, gone = self.stream.fold(told)
        updates: list[Update] = []
        lost = [f"{PROVIDER}:{market_id}" for market_id in gone]
        for market in markets:
            if market.definition is None:
                # Its image came without one: what it was called open by is gone.
                lost.append(f"{PROVIDER}:{market.id}")
            else:
                updates.append(update(market, market.definition, self.names))
        return Taken(
            told["pt"],
            updates,
            lost,
            is_stale=None if self.stream.is_in_parts else self.stream.is_stale,
            is_conflated=_is_conflated(told),
            heartbeat=self.stream.heartbeat,
        )


def _is_conflated(told: Message) -> bool:
    """`con`: we read too slowly, so that several changes came as one. On the message live, on a market as recorded."""
    return bool(told.get("con")) or any(change.get("con") for change in told.get("mc") or ())
