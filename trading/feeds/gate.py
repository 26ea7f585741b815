"""Whether a provider is to be believed: while it is silent or stale, its markets are suspended, and nobody else's.

So is each market of which something was missed, until it is told from scratch, and each that was told before a silence,
until it is told at all: its prices are as old as before, though the provider is heard again.
"""

from collections.abc import Iterable

from trading.feeds.adapter import Markets, Taken, Update

_UNDECIDED = ("open", "suspended")


class Gate:
    """Stands between one provider's adapter and Kafka, and knows how each of its undecided markets was last told.

    Prices stay as they are while the gate is shut or a market is doubted: whoever takes bets looks at the status, not
    for an empty book.
    """

    def __init__(self) -> None:
        self._last: dict[str, Update] = {}
        self._is_shut = False
        self._doubted: set[str] = set()
        self._untold: set[str] = set()
        self._doubts_new = False

    def let_through(self, taken: Taken) -> list[Update]:
        """What is to be told of a message; all of it when the gate shuts or opens, as the provider is behind or not.

        A provider that was behind has caught up by then, and has told of everything that has changed.
        """
        lost = self._lose(taken)
        was_shut = self._is_shut
        if taken.is_stale is not None:
            self._is_shut = taken.is_stale
        doubted = self._doubt(taken.doubted)
        self._trust(taken)
        for update in taken.updates:
            self._remember(update)
        if was_shut != self._is_shut:
            decided = [update for update in taken.updates if update["status"] not in _UNDECIDED]
            return [*lost, *decided, *self.all()]
        return [*lost, *doubted, *(self._told(update) for update in taken.updates)]

    def shut(self) -> list[Update]:
        """The provider is silent: suspend what is open, each market until it is told anew. Nothing is told twice."""
        open_ones = [] if self._is_shut else [each for each in self._last if not self._is_doubted(each)]
        self._untold.update(self._last)
        self._is_shut = True
        return self._suspended(open_ones)

    def end(self) -> list[Update]:
        """The last word on every market that its provider has open, however it was last told: nobody would suspend it
        later."""
        self._is_shut = True
        return self._suspended(self._last)

    def all(self) -> list[Update]:
        """Every undecided market as it stands."""
        return [self._told(update) for update in self._last.values()]

    def _doubt(self, markets: Markets) -> list[Update]:
        """Suspend these markets, None for all of them and those still to come, until each is told from scratch.

        What is to be told of it: those that were open until now.
        """
        if markets is None:
            self._doubts_new = True
            markets = self._last
        new = [market_id for market_id in markets if market_id not in self._doubted]
        self._doubted.update(new)
        return [] if self._is_shut else self._suspended(each for each in new if each not in self._untold)

    def _suspended(self, markets: Iterable[str]) -> list[Update]:
        known = (self._last[market_id] for market_id in markets if market_id in self._last)
        return [_suspended(update) for update in known if update["status"] == "open"]

    def _lose(self, taken: Taken) -> list[Update]:
        """The last word on markets that the provider does not tell of any more."""
        return [_suspended(self._last.pop(market_id)) for market_id in taken.lost if market_id in self._last]

    def _trust(self, taken: Taken) -> None:
        """What is told from scratch is whole, whatever was missed before; not what was missed with it."""
        if taken.is_image:
            self._doubted = set(taken.doubted or ())
            self._untold.clear()
            self._doubts_new = False
        self._doubted.difference_update(taken.images)
        if self._doubts_new:
            new = (update["market_id"] for update in taken.updates if update["market_id"] not in self._last)
            self._doubted.update(market_id for market_id in new if market_id not in taken.images)

    def _remember(self, update: Update) -> None:
        self._untold.discard(update["market_id"])
        if update["status"] in _UNDECIDED:
            self._last[update["market_id"]] = update
        else:
            self._last.pop(update["market_id"], None)

    def _told(self, update: Update) -> Update:
        return _suspended(update) if self._is_shut or self._is_doubted(update["market_id"]) else update

    def _is_doubted(self, market_id: str) -> bool:
        return market_id in self._doubted or market_id in self._untold


def _suspended(update: Update) -> Update:
    if update["status"] != "open":
        return update
    suspended = update.copy()
    suspended["status"] = "suspended"
    return suspended
