"""What can be bet on at a moment, and what players like to bet on."""

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from backoffice.simulator.durations import HOUR, MINUTE
from backoffice.simulator.sport.calendar import Calendar
from backoffice.simulator.sport.fixture import Fixture
from backoffice.simulator.sport.quotes import OPEN, RESULTS
from trading.domain.legs import Finish, Leg

FIXTURES_A_DAY = 30
# How much more is bet on a sport, on a featured match, and on what is going on now.
_SPORTS = {"football": 6.0, "tennis": 2.0, "basketball": 2.0, "horse_racing": 1.5}
_FEATURED = 8.0
_IN_PLAY = 5.0
_SOON = 3.0
# The span for which the list of what is on is kept.
_SPAN = 10 * MINUTE
_FAVOURITE_MARKETS = 2.2
_TRIES = 3


class Choice(NamedTuple):
    """One leg to be: an outcome (``row`` of the fixture) of a market at its price."""

    fixture: Fixture
    market: int
    outcome: int
    row: int
    odds: int
    chance: float
    is_in_play: bool

    def settled(self) -> Leg:
        """The leg with the result that it will have."""
        results, row = self.fixture.results(), self.row
        tie = int(results.places[row]) or 1, int(results.tied[row]) or 1
        return Leg(self.odds, Finish(RESULTS[results.result[row]], *tie), int(results.void_factor[row]))

    @property
    def known_at(self) -> int:
        return int(self.fixture.results().known_at[self.market])


class _Offer(NamedTuple):
    fixtures: list[Fixture]
    weights: list[float]


@dataclass
class Sportsbook:
    """The calendar of a seed, with a memory of what is on; everything in it follows from the seed."""

    seed: int
    _offers: dict[int, _Offer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.calendar = Calendar(self.seed, FIXTURES_A_DAY)

    def choose(self, at: int, fixture_draw: float, outcome_draw: float) -> Choice | None:
        """An outcome on which bets are taken at the moment; None where the match has none just now."""
        offer = self._offer(at)
        if not offer.fixtures:
            return None
        place = bisect_right(offer.weights, fixture_draw * offer.weights[-1])
        return chosen(offer.fixtures[min(place, len(offer.fixtures) - 1)], at, outcome_draw)

    def _offer(self, at: int) -> _Offer:
        span = at // _SPAN
        if span not in self._offers:
            if len(self._offers) > 50:
                self._offers.clear()
            start = span * _SPAN
            fixtures = self.calendar.fixtures(start, start + _SPAN)
            weights = [_weight(fixture, start) for fixture in fixtures]
            self._offers[span] = _Offer(fixtures, list(accumulate(weights)))
        return self._offers[span]


def chosen(fixture: Fixture, at: int, draw: float) -> Choice | None:
    """An outcome of the fixture that bets are taken on; the first markets are the favourites."""
    quotes = fixture.quotes(at)
    taken = np.flatnonzero(quotes.status == OPEN)
    if not taken.size:
        return None
    place = int(taken[int(draw**_FAVOURITE_MARKETS * taken.size)])
    return choice_at(fixture, at, place)


def choice_at(fixture: Fixture, at: int, place: int) -> Choice:
    """The outcome at a place of the quotes of that moment."""
    quotes = fixture.quotes(at)
    return Choice(
        fixture, int(quotes.market[place]), int(quotes.outcome[place]), int(quotes.row[place]),
        int(quotes.odds[place]), float(quotes.chance[place]), quotes.is_in_play,
    )  # fmt: skip


def _weight(fixture: Fixture, at: int) -> float:
    weight = _SPORTS.get(fixture.sport, 1.0) * (_FEATURED if fixture.is_featured else 1.0)
    until = fixture.starts_at - at
    if until <= 0:
        return weight * _IN_PLAY if at < fixture.ends_at else 0.0
    return weight * (_SOON if until < 2 * HOUR else 1.0 / (1 + until / (12 * HOUR)))
