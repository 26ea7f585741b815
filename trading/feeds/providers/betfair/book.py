"""What is offered and traded on one market, kept up by deltas."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trading.feeds.adapter import Outcome

from .definition import Definition, Key, RunnerDefinition
from .wire import AMOUNTS, BY_LEVEL, BY_PRICE, STARTING_PRICES

Ladder = dict[float, float]
"""Size by price."""
Levels = dict[int, tuple[float, float]]
"""Price and size by level; 0 is the best."""


class Runner:
    """``ladders`` and ``levels`` hold the depths by their names on the wire, ``amounts`` ltp, tv, spn and spf.

    ``outcome`` is what ``updates`` made of it, until it changes, and ``is_crossed`` whether it could then be backed at
    no less than it could be laid at.
    """

    __slots__ = ("amounts", "definition", "is_crossed", "ladders", "levels", "outcome")

    def __init__(self) -> None:
        self.definition: RunnerDefinition | None = None
        self.ladders: dict[str, Ladder] = {name: {} for name in BY_PRICE}
        self.levels: dict[str, Levels] = {name: {} for name in BY_LEVEL}
        self.amounts: dict[str, float | None] = {}
        self.outcome: Outcome | None = None
        self.is_crossed = False

    def fold(self, change: Mapping[str, Any]) -> None:
        """Set what the change names; all else stays."""
        self.outcome = None
        for name, told in change.items():
            if name in BY_PRICE:
                _fold_prices(self.ladders[name], told)
                if name == "trd" and not told:
                    # It comes with tv 0 for a runner that is removed: nothing counts as traded on it any more.
                    self.ladders[name].clear()
            elif name in BY_LEVEL:
                _fold_levels(self.levels[name], told)
            elif name in AMOUNTS or name in STARTING_PRICES:
                self.amounts[name] = told

    def best_back(self) -> tuple[float, float] | None:
        """The highest price at which the runner can be backed, and the size there.

        From full depth where the subscription has it, else from what the site displays, else from the best offers.
        """
        prices = self.ladders["atb"]
        if prices:
            best = max(prices)
            return best, prices[best]
        return _best_level(self.levels["bdatb"] or self.levels["batb"])

    def best_lay(self) -> tuple[float, float] | None:
        """The lowest price at which the runner can be laid, and the size there; from where ``best_back`` is."""
        prices = self.ladders["atl"]
        if prices:
            best = min(prices)
            return best, prices[best]
        return _best_level(self.levels["bdatl"] or self.levels["batl"])


class Market:
    """``runners`` in the order of the definition; ``total_matched`` is None until the provider tells it.

    ``is_image`` where it began with one; ``is_outdated`` where a later one was not taken over: what is offered and
    traded stays as it is then, for what changes is not this book. ``crossings`` counts how often the book of a runner
    was found to be crossed.
    """

    __slots__ = ("crossings", "definition", "id", "is_image", "is_outdated", "runners", "total_matched")

    def __init__(self, market_id: str, *, is_image: bool) -> None:
        self.id = market_id
        self.is_image = is_image
        self.is_outdated = False
        self.definition: Definition | None = None
        self.runners: dict[Key, Runner] = {}
        self.total_matched: float | None = None
        self.crossings = 0

    @property
    def is_known(self) -> bool:
        """Whether it was told from its beginning: by an image, or by a description (Betfair's historic files)."""
        return self.is_image or self.definition is not None

    def fold(self, change: Mapping[str, Any]) -> None:
        """Take over one entry of `mc` that has been through ``wire.read``."""
        if "marketDefinition" in change:
            self._describe(change["marketDefinition"])
        if self.is_outdated:
            return
        if "tv" in change:
            self.total_matched = change["tv"]
        for told in change.get("rc") or ():
            runner = self.runners.get(told["key"])
            if runner is None:
                runner = self.runners[told["key"]] = Runner()
            runner.fold(told)

    def _describe(self, definition: Definition) -> None:
        """A definition is complete: runners that it does not name are part of the market no more, and come last."""
        self.definition = definition
        before = self.runners
        self.runners = {key: before.get(key) or Runner() for key in definition.runners} | before
        for key, runner in self.runners.items():
            runner.definition = definition.runners.get(key)
            runner.outcome = None


def _fold_prices(ladder: Ladder, told: Iterable[Sequence[float]]) -> None:
    for price, size in told:
        if size:
            ladder[price] = size
        else:
            ladder.pop(price, None)


def _fold_levels(levels: Levels, told: Iterable[tuple[int, float, float]]) -> None:
    for level, price, size in told:
        if size:
            levels[level] = (price, size)
        else:
            levels.pop(level, None)


def _best_level(levels: Levels) -> tuple[float, float] | None:
    return levels[min(levels)] if levels else None
