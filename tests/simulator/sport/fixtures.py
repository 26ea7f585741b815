"""Fixtures to test with, from one seeded calendar."""

from collections.abc import Callable
from functools import cache

from backoffice.simulator.durations import DAY
from backoffice.simulator.sport.calendar import Calendar
from backoffice.simulator.sport.fixture import Fixture

# A Monday.
FIRST_DAY = 20_003
SPORTS = ("football", "basketball", "tennis", "horse_racing")


@cache
def week() -> tuple[Fixture, ...]:
    """All fixtures that start in one week."""
    start, end = FIRST_DAY * DAY, (FIRST_DAY + 7) * DAY
    found = tuple(
        fixture
        for fixture in Calendar(seed=7, fixtures_per_day=40).fixtures(start, end)
        if start <= fixture.starts_at < end
    )
    # Whoever goes through them is to find some of each, or would hold of none of them.
    assert {fixture.sport for fixture in found} == set(SPORTS)
    return found


def first(wanted: Callable[[Fixture], bool]) -> Fixture:
    return next(fixture for fixture in week() if wanted(fixture))


def one_of_each() -> list[Fixture]:
    """A featured match, and the first fixture of each sport."""
    firsts = [next(fixture for fixture in week() if fixture.sport == sport) for sport in SPORTS]
    return [featured(), *firsts]


def featured() -> Fixture:
    """A match with all markets that goes its whole way and has a goal in the first half and one after it."""
    return first(lambda fixture: fixture.is_featured and not fixture.is_abandoned and _has_goals(fixture))


def _has_goals(fixture: Fixture) -> bool:
    minutes = [goal.minute for goal in getattr(fixture.course, "goals", ())]
    return any(5 < minute < 40 for minute in minutes) and any(50 < minute < 80 for minute in minutes)
