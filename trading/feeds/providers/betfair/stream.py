"""The cache of one subscription: images replace, deltas patch."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from .book import Market
from .definition import Definition
from .wire import SEG, SEG_START, SUB_IMAGE, Message


class Changed(NamedTuple):
    """Markets to look at again, and ids of those that are no longer in the subscription."""

    markets: list[Market]
    gone: list[str]


_NOTHING = Changed([], [])


class Stream:
    """All markets of a subscription, and what is needed to take it up again (``initial_clk``, ``clk``).

    ``heartbeat`` in milliseconds as agreed at subscription; ``is_in_parts`` before the last part of an image is there.
    A message comes through ``wire.read`` before it is folded.
    """

    def __init__(self) -> None:
        self.markets: dict[str, Market] = {}
        self.initial_clk: str | None = None
        self.clk: str | None = None
        self.heartbeat: int | None = None
        self.is_stale = False
        self.is_in_parts = False
        self._pending: dict[str, None] = {}

    def fold(self, message: Message) -> Changed:
        """What a market change message leads to. Of an image in parts nothing is told before its last part."""
        segment = message.get("segmentType")
        # 503: the exchange cannot keep up. The connection stays; what it sends next without a status is fresh again.
        self.is_stale = message.get("status") not in (None, 200)
        self.heartbeat = message.get("heartbeatMs") or self.heartbeat
        if message.get("ct") == SUB_IMAGE and segment in (None, SEG_START):
            self._pending.update(dict.fromkeys(self.markets))
            self.markets = {}
        for change in message.get("mc") or ():
            self._fold_market(change)
        self.is_in_parts = segment in (SEG_START, SEG)
        if self.is_in_parts:
            return _NOTHING
        # Only from whole messages: taken up again from the middle of an image, its first parts would be missing.
        self.clk = message.get("clk") or self.clk
        self.initial_clk = message.get("initialClk") or self.initial_clk
        return self._changed()

    def _fold_market(self, change: Mapping[str, Any]) -> None:
        market_id = change["id"]
        market = self.markets.get(market_id)
        if market is not None and _is_older(change.get("marketDefinition"), market.definition):
            return
        if market is None or change.get("img"):
            market = self.markets[market_id] = Market(market_id)
        market.fold(change)
        self._pending[market_id] = None

    def _changed(self) -> Changed:
        pending, self._pending = self._pending, {}
        known = self.markets
        return Changed([known[one] for one in pending if one in known], [one for one in pending if one not in known])


def _is_older(told: Definition | None, held: Definition | None) -> bool:
    """The same market twice: the higher version wins, and what comes with the lower one is as old as it."""
    return told is not None and held is not None and told.version < held.version
