"""Two weeks of much sport: what was said to happen in so many cases in a hundred does, and the margin is earned."""

import random
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from backoffice.simulator.durations import DAY, MINUTE
from backoffice.simulator.sport.board import Floats
from backoffice.simulator.sport.calendar import Calendar
from backoffice.simulator.sport.fixture import Fixture
from backoffice.simulator.sport.quotes import OPEN, WON
from tests.simulator.sport.fixtures import FIRST_DAY, SPORTS

# All that these tests look at is made once for each worker.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("long_run_of_sport")]

# Chances of a false alarm at a fixed seed are of no concern; these bounds say how far off a model is told apart.
DEVIATIONS = 4.0
# The 99.9 % point of chi-square for 10 degrees of freedom.
CHI_SQUARE_10 = 29.6


class Told(NamedTuple):
    """The quotes of one fixture at one moment with what came of them; arrays over outcomes. ``decided`` is the share of
    a stake that is not void, ``won`` the share that wins."""

    fixture: Fixture
    market: list[str]
    chance: Floats
    odds: Floats
    is_open: Floats
    decided: Floats
    won: Floats


@cache
def season() -> tuple[Fixture, ...]:
    start, end = FIRST_DAY * DAY, (FIRST_DAY + 14) * DAY
    fixtures = Calendar(seed=11, fixtures_per_day=150).fixtures(start, end)
    return tuple(fixture for fixture in fixtures if start <= fixture.starts_at < end)


@cache
def told(moment: str) -> tuple[Told, ...]:
    """Of all fixtures just before the kick-off, at a random time before it, or at a random time after it.

    The time after it does not depend on how long the fixture lasts: that would tell something of its course.
    """
    rng = random.Random(moment)
    return tuple(told for fixture in season() for told in _told(fixture, _moment(fixture, moment, rng)))


def _moment(fixture: Fixture, moment: str, rng: random.Random) -> int:
    kick_off = fixture.course.timeline.kick_off
    if moment == "kick_off":
        return kick_off - 1
    if moment == "before":
        return rng.randrange(fixture.opens_at, fixture.starts_at)
    return kick_off + rng.randrange(100 * MINUTE)


def _told(fixture: Fixture, at: int) -> Iterator[Told]:
    quotes, results = fixture.quotes(at), fixture.results()
    if quotes.row.size:
        decided = 1 - results.void_factor[quotes.row] / 1_000
        won = decided * (results.result[quotes.row] == WON) * results.dead_heat_factor[quotes.row] / 1_000
        types = [fixture.markets[number].type.split(".")[0] for number in quotes.market.tolist()]
        is_open = (quotes.status == OPEN).astype(float)
        yield Told(fixture, types, quotes.chance, quotes.odds / 1_000, is_open, decided, won)


def within(sums: list[float]) -> bool:
    """Whether a sum over fixtures is 0 but for chance; fixtures are independent, their outcomes are not."""
    values = np.array(sums)
    return bool(abs(values.sum()) <= DEVIATIONS * np.sqrt((values**2).sum()))


def test_there_are_thousands_of_fixtures() -> None:
    assert len(season()) > 2_000


@pytest.mark.parametrize("moment", ["kick_off", "in_play"])
def test_outcomes_come_as_often_as_their_chances_say(moment: str) -> None:
    """Chi-square over ten groups of like chance; one outcome of each fixture at random, so that all are independent."""
    rng = random.Random(1)
    places = [(one, rng.randrange(one.chance.size)) for one in told(moment)]
    drawn = np.array([(one.chance[place], one.decided[place], one.won[place]) for one, place in places])
    statistic = 0.0
    for group in np.array_split(drawn[np.argsort(drawn[:, 0])], 10):
        chance, decided, won = group.T
        statistic += (won - chance * decided).sum() ** 2 / (chance * (1 - chance) * decided**2).sum()

    assert len(drawn) > 1_000
    assert statistic < CHI_SQUARE_10


@pytest.mark.parametrize("moment", ["kick_off", "in_play"])
def test_no_kind_of_market_favours_likely_or_unlikely_outcomes(moment: str) -> None:
    sums: dict[tuple[str, str, bool], list[float]] = defaultdict(list)
    for one in told(moment):
        misses = one.won - one.chance * one.decided
        for kind in set(one.market):
            of_kind = np.array([market == kind for market in one.market])
            for is_likely in (False, True):
                rows = of_kind & ((one.chance > 0.5) == is_likely)
                if rows.any():
                    sums[one.fixture.sport, kind, is_likely].append(float(misses[rows].sum()))

    judged = {group: values for group, values in sums.items() if len(values) >= 100}
    assert len(judged) > 25
    assert [group for group, values in judged.items() if not within(values)] == []


def test_the_brier_score_of_match_results_is_that_of_honest_chances() -> None:
    """An honest chance p has an expected score of p(1 − p); Spiegelhalter (1986) gives the deviation of the sum."""
    scores = []
    for one in told("kick_off"):
        if one.fixture.sport == "football" and one.decided[0]:
            chance, won = one.chance[0], one.won[0]
            scores.append(((won - chance) ** 2 - chance * (1 - chance), (1 - 2 * chance) ** 2 * chance * (1 - chance)))
    excess, variance = np.sum(scores, axis=0)

    assert len(scores) > 500
    assert abs(excess) < DEVIATIONS * variance**0.5


@pytest.mark.parametrize("sport", SPORTS)
@pytest.mark.parametrize("moment", ["before", "in_play"])
def test_random_bets_leave_the_theoretical_hold(sport: str, moment: str) -> None:
    """One on every outcome on offer: what is kept of decided stakes is 1 − o · p of each, within its bound."""
    if (sport, moment) == ("horse_racing", "in_play"):
        assert not [one for one in told(moment) if one.fixture.sport == sport]
        return
    luck, kept, theoretical, stakes = [], 0.0, 0.0, 0.0
    for one in told(moment):
        if one.fixture.sport == sport:
            stake = one.decided * one.is_open
            profit, expected = stake - one.won * one.odds * one.is_open, stake * (1 - one.chance * one.odds)
            luck.append(float((profit - expected).sum()))
            kept, theoretical, stakes = kept + profit.sum(), theoretical + expected.sum(), stakes + stake.sum()

    assert within(luck)
    bound = DEVIATIONS * float(np.sqrt(np.square(luck).sum())) / stakes
    assert abs(kept / stakes - theoretical / stakes) <= bound
    assert 0.02 < theoretical / stakes < 0.25


def test_goals_come_in_the_halves_as_they_should() -> None:
    """46 % of the goals of the Premier League of 2019-20 fell in first halves."""
    goals = [goal for fixture in season() for goal in getattr(fixture.course, "goals", ())]
    first_half = sum(goal.minute < 45 for goal in goals) / len(goals)

    assert first_half == pytest.approx(0.458, abs=4 * 0.5 / len(goals) ** 0.5)
