"""The simulator's football beside two real seasons: margins of the books, results, goals.

The odds files hold results and odds of six books. They lie outside the project; without them these tests are skipped.
"""

import csv
import gzip
import os
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from backoffice.simulator.durations import DAY, HOUR
from backoffice.simulator.sport.calendar import Calendar
from backoffice.simulator.sport.fixture import Fixture
from backoffice.simulator.sport.football import Football
from tests.simulator.sport.fixtures import FIRST_DAY

ODDS = Path(os.environ.get("PITBOSS_DATA", Path(__file__).parents[4] / "shared" / "data")) / "odds"

pytestmark = [
    pytest.mark.skipif(not ODDS.is_dir(), reason="neither PITBOSS_DATA nor ../shared/data holds a folder odds/"),
    pytest.mark.slow,
    pytest.mark.xdist_group("long_run_of_football"),
]

# A price may be half a step of the ladder off. At the odds of these markets that moves an overround by up to 0.3 points
# for one match and, as it falls either way, by less than 0.1 for the mean of hundreds. The rest is room for the real
# mean, whose own standard error is below 0.05 points.
TOLERANCE = 0.0025
SEASONS = {"epl_2019_20": "Coastal Premier League", "championship_2018_19": "Second Coastal League"}
Rows = list[dict[str, str]]


@cache
def real(season: str) -> Rows:
    with gzip.open(ODDS / f"{season}.csv.gz", "rt", encoding="latin-1") as file:
        return [row for row in csv.DictReader(file) if row["FTR"]]


@cache
def simulated(competition: str) -> tuple[Fixture, ...]:
    """A month of a league."""
    start, end = FIRST_DAY * DAY, (FIRST_DAY + 28) * DAY
    calendar = Calendar(seed=5, fixtures_per_day=60)
    days = range(start, end, 7 * DAY)
    fixtures = {fixture.id: fixture for day in days for fixture in calendar.fixtures(day, day + 7 * DAY)}
    return tuple(fixture for fixture in fixtures.values() if fixture.competition == competition)


def real_overround(rows: Rows, columns: Sequence[str]) -> float:
    """The mean over the matches of which the book has all prices."""
    odds = np.array([[float(row[column] or 0) for column in columns] for row in rows])
    return float((1 / odds[(odds > 1).all(axis=1)]).sum(axis=1).mean() - 1)


def overround(kind: str, line: str | None = None, *, is_even: bool = False) -> float:
    """The simulator's mean an hour before the kick-off; of even ones, for the main line of a market with many."""
    books = []
    for fixture in simulated("Coastal Premier League"):
        quotes = fixture.quotes(fixture.starts_at - HOUR)
        for number, market in enumerate(fixture.markets):
            if market.type == kind and line in (None, market.line):
                rows = quotes.market == number
                if not is_even or abs(quotes.chance[rows][0] - 0.5) < 0.06:
                    books.append((1_000 / quotes.odds[rows]).sum() - 1)
    assert len(books) > 100
    return float(np.mean(books))


def test_three_ways() -> None:
    b365, pinnacle = (real_overround(real("epl_2019_20"), [book + way for way in "HDA"]) for book in ("B365", "PS"))

    assert abs(overround("match_result") - b365) < TOLERANCE
    # The tolerance tells this book from a sharp one.
    assert abs(overround("match_result") - pinnacle) > 4 * TOLERANCE


def test_over_and_under() -> None:
    b365 = real_overround(real("epl_2019_20"), ["B365>2.5", "B365<2.5"])

    assert abs(overround("total", "2.5") - b365) < TOLERANCE


def test_asian_handicap() -> None:
    """One real match has a mistyped price that makes a book of 122 %; it is left out."""
    rows = [row for row in real("epl_2019_20") if 1 / float(row["B365AHH"]) + 1 / float(row["B365AHA"]) < 1.15]
    b365 = real_overround(rows, ["B365AHH", "B365AHA"])

    assert abs(overround("asian_handicap", is_even=True) - b365) < TOLERANCE


@pytest.mark.parametrize(("season", "competition"), SEASONS.items())
def test_home_wins_draws_and_away_wins(season: str, competition: str) -> None:
    """The mean of the chances at the kick-off against the counts of the season, three standard errors of these."""
    rows = real(season)
    chances = [fixture.quotes(fixture.starts_at).chance[:3] for fixture in simulated(competition)]
    counts = Counter(row["FTR"] for row in rows)

    for way, chance in zip("HDA", np.mean(chances, axis=0), strict=True):
        assert abs(counts[way] / len(rows) - chance) < 3 * (chance * (1 - chance) / len(rows)) ** 0.5, way


@pytest.mark.parametrize(("season", "competition"), SEASONS.items())
def test_goals_of_home_and_away(season: str, competition: str) -> None:
    """Mean goals a match, three standard errors of the season's; and they vary as much from match to match."""
    fixtures = [fixture for fixture in simulated(competition) if not fixture.is_abandoned]
    courses = [fixture.course for fixture in fixtures if isinstance(fixture.course, Football)]
    for column, side in (("FTHG", 0), ("FTAG", 1)):
        goals = np.array([int(row[column]) for row in real(season)])
        error = goals.std() / len(goals) ** 0.5
        assert abs(np.mean([course.means[-1][side] for course in courses]) - goals.mean()) < 3 * error
        scored = [sum(goal.is_home == (side == 0) for goal in course.goals) for course in courses]
        assert 0.8 < np.std(scored) / goals.std() < 1.25


def test_prices_spread_as_widely_as_real_ones() -> None:
    """From clear favourites to clear outsiders: the quartiles of the home side's price, within a fifth."""
    ours = [fixture.quotes(fixture.starts_at - HOUR).odds[0] / 1_000 for fixture in simulated("Coastal Premier League")]
    theirs = [float(row["B365H"]) for row in real("epl_2019_20")]

    for quarter in (0.25, 0.5, 0.75):
        assert np.quantile(ours, quarter) == pytest.approx(np.quantile(theirs, quarter), rel=0.2)
