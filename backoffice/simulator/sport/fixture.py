"""A fixture: what is offered on it at any moment, what becomes of it, and what its feed says meanwhile."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Protocol

import numpy as np

from backoffice.simulator.sport import feed
from backoffice.simulator.sport.board import Board, Floats, Ints, MarketSpec
from backoffice.simulator.sport.quotes import (
    CANCELLED,
    CLOSED,
    LOST,
    NOTHING,
    OPEN,
    SETTLED,
    SUSPENDED,
    VOID,
    WON,
    Codes,
    Quotes,
    Results,
)
from backoffice.simulator.sport.rates import Play
from backoffice.simulator.sport.timeline import Timeline
from trading.domain.payoffs import Shares
from trading.domain.pricing import priced

# No more runners tie.
MOST_TIED = 10
# A minute of a match that is in play, so that moments may be asked for in any order.
_STATES_REMEMBERED = 8


class Course(Protocol):
    """How one fixture of a sport goes, decided from the start; ``decided`` is the moment for each market."""

    @property
    def timeline(self) -> Timeline: ...

    @property
    def board(self) -> Board: ...

    @property
    def decided(self) -> Ints: ...

    def shares(self, at: int) -> Shares:
        """What outcomes are expected to win and to get back void, knowing what has happened by then and no more."""


@dataclass(eq=False)
class Fixture:
    """``seed`` is its own; nothing about it is drawn from anything else."""

    id: str
    seed: int
    sport: str
    competition: str
    name: str
    is_featured: bool
    course: Course
    play: Play
    greatest_chance: float
    _quoted: dict[int, Quotes] = field(default_factory=dict, init=False, repr=False)

    @property
    def markets(self) -> tuple[MarketSpec, ...]:
        return self.course.board.markets

    @property
    def opens_at(self) -> int:
        return self.course.timeline.opens_at

    @property
    def starts_at(self) -> int:
        """As announced; the kick-off may be later."""
        return self.course.timeline.starts_at

    @property
    def ends_at(self) -> int:
        return self.course.timeline.ends_at

    @property
    def settled_at(self) -> int:
        """When the last market is settled."""
        return self.ends_at + self.play.confirmed_after

    @property
    def is_abandoned(self) -> bool:
        return self.course.timeline.is_abandoned

    def is_in_play(self, at: int) -> bool:
        return at >= self.course.timeline.kick_off

    def quotes(self, at: int) -> Quotes:
        """What is offered at a moment; nothing before betting opens and after it closes.

        Two moments between which nothing happened share one object; do not write into it.
        """
        timeline = self.course.timeline
        if not timeline.opens_at <= at < timeline.closes_at:
            return NOTHING
        state = self._state(at)
        quotes = self._quoted.get(state)
        if quotes is None:
            if len(self._quoted) >= _STATES_REMEMBERED:
                del self._quoted[next(iter(self._quoted))]
            quotes = self._quoted[state] = self._quotes_of(state)
        return quotes

    def updates(self, start: int, end: int, per_minute: float) -> Iterator[feed.Update]:
        """The market updates that are due in [start, end), in order of time.

        Openings, suspensions, the turn in-play, closings and settlements come always; price moves come on top, as many
        a minute on average while bets are taken. A span gives the same however it is cut into parts.
        """
        return feed.updates(self, start, end, per_minute)

    def missed(self, start: int, end: int) -> Iterator[feed.Update]:
        """How the markets stand at ``end`` whose status changed in [start, end), for who heard nothing meanwhile."""
        return feed.missed(self, start, end)

    def results(self) -> Results:
        return self._results

    def status(self, market: int, at: int) -> int:
        """The status of a market (a place in STATUSES), except that it may be at rest because of its prices."""
        results, timeline = self._results, self.course.timeline
        if results.known_at[market] <= at:
            return CANCELLED if results.is_cancelled[market] else SETTLED
        if self.course.decided[market] <= at or at >= timeline.closes_at:
            return CLOSED
        return SUSPENDED if timeline.is_halted(at) else OPEN

    @cached_property
    def _changes(self) -> list[int]:
        timeline = self.course.timeline
        return sorted({timeline.opens_at, *timeline.changes(), *self.course.decided.tolist()})

    def _state(self, at: int) -> int:
        """The latest moment at which anything was different from the moment before."""
        latest = self._changes[bisect_right(self._changes, at) - 1]
        timeline = self.course.timeline
        if timeline.tick and at >= timeline.kick_off:
            return max(latest, at - at % timeline.tick)
        return latest

    def _quotes_of(self, at: int) -> Quotes:
        board, shares = self.course.board, self.course.shares(at)
        live = (shares.win > 0) & (shares.void < 1) & (self.course.decided > at)[board.market_of]
        row = np.flatnonzero(live)
        if not row.size:
            return NOTHING
        market, outcome = board.market_of[row], board.outcome_of[row]
        chance = shares.win[row] / (1 - shares.void[row])
        counts = np.bincount(market)
        offered = np.flatnonzero(counts)
        sizes = counts[offered]
        odds = priced(chance, sizes, board.winners[offered], board.margins[offered])
        return Quotes(row, market, outcome, chance, odds, self._price_status(at, chance, sizes), self.is_in_play(at))

    def _price_status(self, at: int, chance: Floats, sizes: Ints) -> Codes:
        """Suspended in a halt, and where an outcome is so likely that there is no price for it."""
        if self.course.timeline.is_halted(at):
            return np.full(chance.size, SUSPENDED, dtype=np.uint8)
        rests = np.maximum.reduceat(chance, np.cumsum(sizes) - sizes) > self.greatest_chance
        return np.repeat(np.where(rests, SUSPENDED, OPEN), sizes).astype(np.uint8)

    @cached_property
    def _results(self) -> Results:
        course, timeline = self.course, self.course.timeline
        cancelled = course.decided > timeline.ends_at
        shares = course.shares(timeline.ends_at)
        void = np.where(cancelled[course.board.market_of], 1.0, shares.void)
        won = np.where(void < 1, shares.win / np.maximum(1 - void, 1e-9), 0.0)
        known_at = np.minimum(course.decided, timeline.ends_at) + self.play.confirmed_after
        places, tied = _dead_heats(won)
        return Results(
            known_at,
            cancelled,
            np.where(void == 1, VOID, np.where(won > 0, WON, LOST)).astype(np.uint8),
            np.rint(1_000 * void).astype(np.int64),
            np.where(won > 0, np.rint(1_000 * won), 1_000).astype(np.int64),
            places,
            tied,
        )


def _dead_heats(won: Floats) -> tuple[Ints, Ints]:
    """Of how many places those have a share who tied, and how many they are; 0 for both where nobody tied.

    A share of a win that is no whole one is the quotient of two small numbers, whatever a float made of it.
    """
    places, tied = np.zeros((2, won.size), dtype=np.int64)
    for row in np.flatnonzero((won > 0) & (won < 1)).tolist():
        share = Fraction(float(won[row])).limit_denominator(MOST_TIED)
        if 0 < share < 1:
            places[row], tied[row] = share.as_integer_ratio()
    return places, tied
