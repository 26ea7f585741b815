"""Every rate the sport model runs on, dated: how often things happen, how long they take, what margin is put on.

Margins are overrounds per winner: the implied chances of a market sum to winners · (1 + margin).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from backoffice.simulator.durations import DAY, HOUR, MINUTE, SECOND


@dataclass(frozen=True, slots=True)
class Competition:
    """How many sides take part, how much is bet on it, how far the strengths of its sides lie apart (a deviation, in
    what the sport's model takes as strength), and what the expected scores are multiplied by."""

    name: str
    sides: int
    appeal: float
    spread: float = 0.0
    level: float = 1.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a sport is played: its share of all fixtures, weights from Monday to Sunday, starts (minutes of the day)
    with weights on a working day and at the weekend, and how long before the start betting opens."""

    share: float
    days: tuple[float, ...]
    starts: Mapping[int, float]
    weekend_starts: Mapping[int, float]
    opens_before: int
    competitions: tuple[Competition, ...]


@dataclass(frozen=True, slots=True)
class Play:
    """How a fixture goes: chances of a late start and of not being finished, and times in microseconds.

    ``halt`` is how long bets stop round an incident, ``confirmed_after`` when a decided market is settled. ``news`` is
    the size of a piece of news in what the sport's model takes as strength. Prices move with the clock every ``tick``,
    0 where only what happens moves them.
    """

    delay_chance: float
    longest_delay: int
    abandoned_chance: float
    bet_delay: int
    halt: int
    confirmed_after: int
    news: float
    tick: int = 0


@dataclass(frozen=True, slots=True)
class Scoring:
    """What two equal sides score on average, at home and away."""

    home_mean: float
    away_mean: float


@dataclass(frozen=True, slots=True)
class Running:
    """Of races: the spread of the logarithms of strengths, how many run, and chances of what happens in one.

    ``places`` are how many are paid in races of at least so many runners. The chance of a dead heat is that for the
    first place, and as much for the last that is paid. A runner leaves in the last ``leaves_within`` only, since the
    prices taken before do not follow it out of the race.
    """

    spread: float
    runners: tuple[int, int]
    places: tuple[tuple[int, int], ...]
    non_runner_chance: float
    leaves_within: int
    leaving_halt: int
    dead_heat_chance: float
    # Share of the dead heats in which three tie instead of two.
    of_three: float


@dataclass(frozen=True, slots=True)
class Rates:
    valid_from: date
    source: str
    football: Scoring
    basketball: Scoring
    # The chance of equal players to win a point on serve.
    tennis: float
    racing: Running
    schedules: Mapping[str, Schedule]
    plays: Mapping[str, Play]
    margins: Mapping[str, float]
    # Share of the day's football that is offered with all markets; at least one match on any day with football.
    featured_share: float
    # A market rests while one outcome is as good as certain.
    greatest_chance: float


def rates_on(day: date) -> Rates:
    """Those valid on a day; on days before the first table, the first."""
    return next((rates for rates in reversed(TABLE) if rates.valid_from <= day), TABLE[0])


def margin_of(rates: Rates, market_type: str) -> float:
    """That of the type, or of the longest beginning of its name that the table holds.

    Raises:
        KeyError: the table holds none; it must be given one before the market is offered.
    """
    parts = market_type.split(".")
    for length in range(len(parts), 0, -1):
        margin = rates.margins.get(".".join(parts[:length]))
        if margin is not None:
            return margin
    raise KeyError(f"no margin is given for {market_type}; add one to the table of rates")


_EVENINGS = {18 * 60: 2.0, 18 * 60 + 30: 2.0, 19 * 60: 3.0, 19 * 60 + 45: 4.0, 20 * 60: 4.0}
_FOOTBALL_WEEKENDS = {
    12 * 60 + 30: 2.0, 13 * 60: 1.0, 14 * 60: 2.0, 15 * 60: 6.0, 16 * 60 + 30: 2.5, 17 * 60 + 30: 2.0, 19 * 60: 1.5,
    20 * 60: 1.5,
}  # fmt: skip
_COURT_HOURS = {
    hour * 60: weight for hour, weight in zip(range(9, 21), (2, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 1), strict=True)
}
_RACE_TIMES = dict.fromkeys(range(13 * 60, 17 * 60 + 40, 10), 1.0)
_LATE_RACE_TIMES = dict.fromkeys(range(12 * 60 + 40, 18 * 60 + 30, 10), 1.0)
_HALLS = {17 * 60: 2.0, 18 * 60 + 30: 3.0, 19 * 60: 4.0, 20 * 60: 3.0, 20 * 60 + 30: 2.0, 23 * 60: 1.5}

TABLE = (
    Rates(
        valid_from=date(2019, 8, 1),
        source=(
            "margins of football: mean overround of B365 over the Premier League of 2019-20 (1X2 5.31 %, over/under "
            "5.50 %, Asian handicap 2.68 %); other markets and sports: usual templates; frequencies: own estimates"
        ),
        # Premier League of 2019-20: 1.52 and 1.21 goals; that sides differ raises both means by a twentieth.
        football=Scoring(1.42, 1.12),
        basketball=Scoring(82.0, 79.0),
        tennis=0.63,
        racing=Running(
            0.75, (6, 16), ((16, 4), (8, 3), (0, 2)), 0.08, 12 * HOUR, MINUTE, dead_heat_chance=0.01, of_three=0.1
        ),
        schedules={
            "football": Schedule(
                share=0.40,
                days=(0.5, 0.9, 1.0, 0.6, 0.7, 2.0, 1.3),
                starts=_EVENINGS,
                weekend_starts=_FOOTBALL_WEEKENDS,
                opens_before=4 * DAY,
                competitions=(
                    Competition("Coastal Premier League", 20, 1.0, 0.22),
                    Competition("Continental Shield", 32, 0.9, 0.22, 1.03),
                    Competition("Second Coastal League", 24, 0.4, 0.12, 1.0),
                    Competition("Lowland Division One", 18, 0.3, 0.20, 1.12),
                    Competition("Harbour Championship", 20, 0.3, 0.18, 0.92),
                ),
            ),
            "tennis": Schedule(
                share=0.22,
                days=(1.2, 1.2, 1.1, 1.0, 0.9, 0.8, 0.8),
                starts=_COURT_HOURS,
                weekend_starts=_COURT_HOURS,
                opens_before=2 * DAY,
                competitions=(Competition("Harbour Open", 64, 0.6, 0.025), Competition("Clay Masters", 64, 0.5, 0.02)),
            ),
            "basketball": Schedule(
                share=0.14,
                days=(0.6, 1.0, 1.1, 0.9, 1.2, 1.2, 1.0),
                starts=_HALLS,
                weekend_starts=_HALLS,
                opens_before=2 * DAY,
                competitions=(
                    Competition("Metro Conference", 18, 0.6, 0.045),
                    Competition("Island League", 16, 0.3, 0.04, 0.95),
                ),
            ),
            "horse_racing": Schedule(
                share=0.24,
                days=(0.8, 0.9, 1.0, 0.9, 1.0, 1.5, 0.9),
                starts=_RACE_TIMES,
                weekend_starts=_LATE_RACE_TIMES,
                opens_before=1 * DAY,
                competitions=(
                    Competition("Marsham Downs", 130, 0.5),
                    Competition("Redcliff Park", 130, 0.4),
                    Competition("Eastholm Sands", 130, 0.3),
                ),
            ),
        },
        plays={
            "football": Play(0.03, 45 * MINUTE, 0.004, 6, 40 * SECOND, 90 * SECOND, 0.06, tick=10 * SECOND),
            "tennis": Play(0.20, 60 * MINUTE, 0.025, 4, 8 * SECOND, 60 * SECOND, 0.010),
            "basketball": Play(0.02, 20 * MINUTE, 0.001, 5, 15 * SECOND, 120 * SECOND, 0.015),
            "horse_racing": Play(0.30, 6 * MINUTE, 0.004, 1, 0, 5 * MINUTE, 0.12),
        },
        margins={
            "match_result": 0.0531,
            "total": 0.0550,
            "asian_handicap": 0.0268,
            "double_chance": 0.0550,
            "draw_no_bet": 0.0500,
            "both_to_score": 0.0600,
            "correct_score": 0.1800,
            "exact_goals": 0.1100,
            "odd_even": 0.0600,
            "handicap_result": 0.0800,
            "winning_margin": 0.1200,
            "clean_sheet": 0.0800,
            "win_to_nil": 0.0900,
            "result_and": 0.1000,
            "both_to_score_and": 0.0900,
            "half_time_full_time": 0.1300,
            "highest_half": 0.0800,
            "goal": 0.0750,
            "interval": 0.0800,
            "winner": 0.0480,
            "handicap": 0.0500,
            "set_betting": 0.0850,
            "set": 0.0650,
            "win": 0.1500,
            "place": 0.1300,
            "match_bet": 0.0600,
        },
        featured_share=0.06,
        greatest_chance=0.975,
    ),
)
