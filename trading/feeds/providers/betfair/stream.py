"""The cache of one subscription: images replace, deltas patch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .book import Market
from .definition import Definition
from .wire import FRESH, SEG, SEG_END, SEG_START, SUB_IMAGE, Message


@dataclass
class Changed:
    """What messages have led to since this was last told.

    ``markets`` to look at again, ids of those that are ``gone`` from the subscription, that came as ``images``, that
    were changed although they are ``unknown``, and of which something was ``missed``: it was dropped, and no image came
    after it. ``is_image`` where the whole subscription came anew; ``is_torn`` where parts of a message were lost;
    ``dropped`` counts older versions.
    """

    markets: list[Market] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    is_image: bool = False
    is_torn: bool = False
    dropped: int = 0


class Stream:
    """All markets of a subscription, and what is needed to take it up again (``initial_clk``, ``clk``).

    ``heartbeat`` in milliseconds as agreed at subscription; ``is_in_parts`` before the last part of a message is there.
    A message comes through ``wire.read`` before it is folded.
    """

    def __init__(self) -> None:
        self.markets: dict[str, Market] = {}
        self.initial_clk: str | None = None
        self.clk: str | None = None
        self.heartbeat: int | None = None
        self.is_stale = False
        self.is_in_parts = False
        self._is_torn = False
        self._pending: dict[str, None] = {}
        self._next = Changed()

    def tear(self) -> None:
        """A message could not be read: if it was a part, the parts beside it are no whole any more."""
        self._is_torn = self.is_in_parts

    def fold(self, message: Message) -> Changed:
        """What a market change message leads to. Of an image in parts nothing is told before its last part."""
        segment = message.get("segmentType")
        self._join(segment)
        # 503: the exchange cannot keep up. The connection stays; what it sends next without a status is fresh again.
        is_stale = message.get("status") not in (None, FRESH)
        self.is_stale = is_stale or (self.is_stale and self.is_in_parts)
        self.heartbeat = message.get("heartbeatMs") or self.heartbeat
        is_image = message.get("ct") == SUB_IMAGE
        if is_image and segment in (None, SEG_START):
            self._pending.update(dict.fromkeys(self.markets))
            self.markets = {}
        for change in message.get("mc") or ():
            self._fold_market(change, is_image=is_image or change.get("img") is True)
        self.is_in_parts = segment in (SEG_START, SEG)
        if self.is_in_parts:
            is_torn, self._next.is_torn = self._next.is_torn, False
            return Changed(is_torn=is_torn)
        # Only from whole messages: taken up again from the middle of an image, its first parts would be missing.
        self.clk = message.get("clk") or self.clk
        self.initial_clk = message.get("initialClk") or self.initial_clk
        return self._changed(is_image=is_image)

    def _join(self, segment: str | None) -> None:
        """Parts follow one another. Where the last part did not come before something else, or the first is not there,
        some changes are missing, whatever the parts that came say."""
        continues = segment in (SEG, SEG_END)
        if self.is_in_parts != continues:
            self._is_torn = self._next.is_torn = True
            self._next.images.clear()
        if not continues:
            self._is_torn = False

    def _fold_market(self, change: Mapping[str, Any], *, is_image: bool) -> None:
        market_id = change["id"]
        market = self.markets.get(market_id)
        if market is not None and _is_older(change.get("marketDefinition"), market.definition):
            self._drop(market, change)
            return
        if market is None or change.get("img"):
            market = self.markets[market_id] = Market(market_id, is_image=is_image)
        market.fold(change)
        self._pending[market_id] = None
        if is_image and not market.is_outdated:
            self._next.images.append(market_id)
            _leave_out(self._next.missed, market_id)
        elif not market.is_known:
            self._next.unknown.append(market_id)

    def _drop(self, market: Market, change: Mapping[str, Any]) -> None:
        """What an older version says is not taken over, but nobody knows whether it is older or the number is wrong: it
        counts as missed. What follows on an image that was dropped is about a book that is not held."""
        self._next.dropped += 1
        _leave_out(self._next.images, market.id)
        self._next.missed.append(market.id)
        if change.get("img"):
            market.is_outdated = True

    def _changed(self, *, is_image: bool) -> Changed:
        changed, self._next = self._next, Changed()
        pending, self._pending = self._pending, {}
        changed.markets = [self.markets[one] for one in pending if one in self.markets]
        changed.gone = [one for one in pending if one not in self.markets]
        changed.is_image = is_image and not self._is_torn
        if self._is_torn:
            changed.images = []
        return changed


def _leave_out(markets: list[str], market_id: str) -> None:
    markets[:] = (one for one in markets if one != market_id)


def _is_older(told: Definition | None, held: Definition | None) -> bool:
    """The same market twice: the higher version wins, and what comes with the lower one is as old as it."""
    return told is not None and held is not None and told.version < held.version
