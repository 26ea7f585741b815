"""The calendar: which fixtures there are, on which day and when; the same for a seed whatever is asked for."""

import random
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from math import ceil
from typing import NamedTuple

from backoffice.simulator.durations import DAY, MINUTE
from backoffice.simulator.sport import names
from backoffice.simulator.sport.basketball import basketball
from backoffice.simulator.sport.fixture import Course, Fixture
from backoffice.simulator.sport.football import football
from backoffice.simulator.sport.racing import racing
from backoffice.simulator.sport.rates import Competition, Rates, rates_on
from backoffice.simulator.sport.tennis import tennis

_EPOCH = date(1970, 1, 1)
_SATURDAY = 5
# No betting opens earlier than this before the day of a fixture, and nothing about it happens later than this after it.
_DAYS_BEFORE, _DAYS_AFTER = 5, 1
_DAYS_REMEMBERED = 16


class Side(NamedTuple):
    """``strength`` as the sport's model takes it, 0 on average."""

    name: str
    strength: float


@dataclass(frozen=True, slots=True)
class Booking:
    """A fixture before its course is drawn."""

    sport: str
    competition: Competition
    sides: tuple[Side, ...]
    starts_at: int
    seed: int

    @property
    def appeal(self) -> float:
        return self.competition.appeal + sum(side.strength for side in self.sides)


_NAMES: Mapping[str, Callable[[random.Random, int], list[str]]] = {
    "football": names.football_clubs,
    "basketball": names.basketball_teams,
    "tennis": names.tennis_players,
    "horse_racing": names.horses,
}


class Calendar:
    """About so many fixtures a day, averaged over a week."""

    def __init__(self, seed: int, fixtures_per_day: int) -> None:
        self._seed = seed
        self._fixtures_per_day = fixtures_per_day
        self._days: OrderedDict[int, tuple[Fixture, ...]] = OrderedDict()

    def fixtures(self, start: int, end: int) -> list[Fixture]:
        """Those that live in [start, end): from the opening of their betting to their last settlement.

        In the order of their starts. Within a span of two weeks the same fixture is the same object.
        """
        days = range(start // DAY - _DAYS_AFTER, (end - 1) // DAY + _DAYS_BEFORE + 1)
        return [
            fixture
            for day in days
            for fixture in self._day(day)
            if fixture.opens_at < end and fixture.settled_at >= start
        ]

    def _day(self, day: int) -> tuple[Fixture, ...]:
        if day in self._days:
            self._days.move_to_end(day)
            return self._days[day]
        fixtures = self._days[day] = tuple(self._fixtures_of(day))
        if len(self._days) > _DAYS_REMEMBERED:
            self._days.popitem(last=False)
        return fixtures

    def _fixtures_of(self, day: int) -> Iterator[Fixture]:
        rng = random.Random(f"{self._seed}/{day}")
        rates = rates_on(_EPOCH + timedelta(days=day))
        bookings = [booking for sport in rates.schedules for booking in self._booked(rng, rates, sport, day)]
        football_matches = sorted((booking for booking in bookings if booking.sport == "football"), key=_appeal)
        featured = football_matches[-max(ceil(rates.featured_share * len(football_matches)), 1) :]
        for booking in sorted(bookings, key=lambda booking: (booking.starts_at, booking.seed)):
            yield _fixture(booking, rates, is_featured=booking in featured)

    def _booked(self, rng: random.Random, rates: Rates, sport: str, day: int) -> Iterator[Booking]:
        schedule, weekday = rates.schedules[sport], (_EPOCH + timedelta(days=day)).weekday()
        of_the_week = schedule.days[weekday] / sum(schedule.days)
        count = self._fixtures_per_day * schedule.share * len(schedule.days) * of_the_week
        starts = schedule.weekend_starts if weekday >= _SATURDAY else schedule.starts
        rosters, busy = self._rosters(rates, sport), set[str]()
        for _ in range(int(count + rng.random())):
            wanted = rng.randint(*rates.racing.runners) if sport == "horse_racing" else 2
            competition, sides = _drawn_sides(rng, rosters, wanted, busy)
            minute = rng.choices(list(starts), list(starts.values()))[0]
            yield Booking(sport, competition, sides, day * DAY + minute * MINUTE, rng.getrandbits(48))

    def _rosters(self, rates: Rates, sport: str) -> dict[Competition, list[Side]]:
        """The sides of each competition of a sport; they stay the same as long as the rates name the same ones."""
        rng = random.Random(f"{self._seed}/{sport}")
        competitions = rates.schedules[sport].competitions
        named = iter(_NAMES[sport](rng, sum(competition.sides for competition in competitions)))
        return {
            competition: [Side(name, rng.gauss(0, competition.spread)) for name in islice(named, competition.sides)]
            for competition in competitions
        }


def _appeal(booking: Booking) -> float:
    return booking.appeal


def _drawn_sides(
    rng: random.Random, rosters: Mapping[Competition, list[Side]], count: int, busy: set[str]
) -> tuple[Competition, tuple[Side, ...]]:
    """Sides of one competition that are free on that day; where none has enough of them, all may come again."""
    free = {competition: [side for side in roster if side.name not in busy] for competition, roster in rosters.items()}
    ready = [competition for competition, sides in free.items() if len(sides) >= count]
    if not ready:
        busy.clear()
        return _drawn_sides(rng, rosters, count, busy)
    competition = rng.choices(ready, [each.appeal for each in ready])[0]
    sides = tuple(rng.sample(free[competition], count))
    busy.update(side.name for side in sides)
    return competition, sides


def _fixture(booking: Booking, rates: Rates, *, is_featured: bool) -> Fixture:
    sport = booking.sport
    fixture_id = f"sim-{booking.seed:012x}"
    course = _course(booking, fixture_id, rates, is_featured=is_featured)
    return Fixture(
        id=fixture_id,
        seed=booking.seed,
        sport=sport,
        competition=booking.competition.name,
        name=_name(booking),
        is_featured=is_featured,
        course=course,
        play=rates.plays[sport],
        greatest_chance=rates.greatest_chance,
    )


def _course(booking: Booking, fixture_id: str, rates: Rates, *, is_featured: bool) -> Course:
    rng = random.Random(booking.seed)
    starts_at = booking.starts_at
    opens_at = starts_at - rates.schedules[booking.sport].opens_before - rng.randrange(180) * MINUTE
    if booking.sport == "horse_racing":
        runners = [side.name for side in booking.sides]
        return racing(rng, fixture_id, runners, starts_at, opens_at, rates)
    first, second = booking.sides
    pair, strengths = (first.name, second.name), (first.strength, second.strength)
    if booking.sport == "tennis":
        return tennis(rng, fixture_id, pair, strengths, starts_at, opens_at, rates)
    level = booking.competition.level
    if booking.sport == "basketball":
        return basketball(rng, fixture_id, pair, strengths, level, starts_at, opens_at, rates)
    return football(
        rng, fixture_id, pair, strengths, level, starts_at, opens_at, rates, is_featured=is_featured
    )  # fmt: skip


def _name(booking: Booking) -> str:
    if booking.sport == "horse_racing":
        return f"{datetime.fromtimestamp(booking.starts_at // 1_000_000, UTC):%H:%M} {booking.competition.name}"
    return " v ".join(side.name for side in booking.sides)
