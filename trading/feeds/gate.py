"""Whether a provider is to be believed: while it is silent or stale, its markets are suspended, and nobody else's."""

from trading.feeds.adapter import Taken, Update

_UNDECIDED = ("open", "suspended")


class Gate:
    """Stands between one provider's adapter and Kafka, and knows how each of its undecided markets was last told.

    Prices stay as they are while the gate is shut: whoever takes bets looks at the status, not for an empty book.
    """

    def __init__(self) -> None:
        self._last: dict[str, Update] = {}
        self._is_shut = False

    def let_through(self, taken: Taken) -> list[Update]:
        """What is to be told of a message; all of it when the gate shuts or opens, as the provider is behind or not."""
        lost = self._lose(taken)
        was_shut = self._is_shut
        if taken.is_stale is not None:
            self._is_shut = taken.is_stale
        for update in taken.updates:
            self._remember(update)
        if was_shut != self._is_shut:
            decided = [update for update in taken.updates if update["status"] not in _UNDECIDED]
            return [*lost, *decided, *self.all()]
        return [*lost, *(self._told(update) for update in taken.updates)]

    def shut(self) -> list[Update]:
        """Suspend what is open; nothing if that was done already."""
        if self._is_shut:
            return []
        self._is_shut = True
        return [_suspended(update) for update in self._last.values() if update["status"] == "open"]

    def all(self) -> list[Update]:
        """Every undecided market as it stands."""
        return [self._told(update) for update in self._last.values()]

    def _lose(self, taken: Taken) -> list[Update]:
        """The last word on markets that the provider does not tell of any more."""
        return [_suspended(self._last.pop(market_id)) for market_id in taken.lost if market_id in self._last]

    def _remember(self, update: Update) -> None:
        if update["status"] in _UNDECIDED:
            self._last[update["market_id"]] = update
        else:
            self._last.pop(update["market_id"], None)

    def _told(self, update: Update) -> Update:
        return _suspended(update) if self._is_shut else update


def _suspended(update: Update) -> Update:
    if update["status"] != "open":
        return update
    suspended = update.copy()
    suspended["status"] = "suspended"
    return suspended
