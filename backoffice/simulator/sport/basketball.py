"""Basketball: points of both sides in steps of half a minute, each step as the other.

What is to come is a sum of like steps, whose distribution is a power of the step's characteristic function, so that
all chances are exact at any moment. With 80 steps the lead is near to normal with a deviation of 13 points.

Source: Stern (1994), A Brownian motion model for the progress of sports scores.
"""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backoffice.simulator.durations import MINUTE, SECOND
from backoffice.simulator.sport.board import Board, Floats, Ints, Offer, laid_out
from backoffice.simulator.sport.rates import Rates, margin_of
from backoffice.simulator.sport.timeline import NEVER, Timeline, delay, halts_round, news_moments
from trading.domain.payoffs import Shares

_STEPS = 80
_STEP_LASTS = 66 * SECOND
_BREAKS = (2 * MINUTE, 15 * MINUTE, 2 * MINUTE)
_OVERTIME = 15 * MINUTE
# Shares of 1, 2 and 3 points among the steps in which a side scores.
_POINTS = np.array([0.30, 0.55, 0.15])
_POINTS_MEAN = float(_POINTS @ (1, 2, 3))

# Sums are counted modulo this; a lead begins at its half.
_LATTICE = 512
_FREQUENCIES = np.exp(-2j * np.pi * np.outer(np.arange(_LATTICE // 2 + 1), (1, 2, 3)) / _LATTICE)
_NEGLIGIBLE = 1e-12


class Period(NamedTuple):
    suffix: str
    name: str
    start: int
    end: int


_PERIODS = (
    Period("", "", 0, 80),
    Period(".first_half", ", first half", 0, 40),
    *(Period(f".quarter_{number}", f", quarter {number}", 20 * number - 20, 20 * number) for number in range(1, 5)),
)
# The values that markets are on: of every period the lead (0) and the points of both (1), of the match also those of
# home (2) and away (3); pairs of places, and the way back to them.
_PAIRS = (*((period, value) for period in range(len(_PERIODS)) for value in (0, 1)), (0, 2), (0, 3))
_PLACES = np.zeros((len(_PERIODS), 4), dtype=np.int64)
for _place, _pair in enumerate(_PAIRS):
    _PLACES[_pair] = _place
_IS_LEAD = np.array([value == 0 for _, value in _PAIRS])


class Side(NamedTuple):
    """A market on whether a value of a period is over a line: its period and value as in _PAIRS."""

    period: int
    value: int
    line: float


@dataclass(frozen=True, slots=True)
class Basketball:
    """``rates`` are the chances of home and away to score in a step, after each piece of news: an array (news, 2).

    ``points`` is an array (steps + 1, 2) of the score after each step. ``sides`` are the columns of the ``Side``s, one
    for each market after the winner.
    """

    timeline: Timeline
    board: Board
    decided: Ints
    rates: Floats
    points: NDArray[np.int64]
    steps: tuple[int, ...]
    sides: tuple[Ints, Ints, Floats]
    wins_overtime: bool

    def shares(self, at: int) -> Shares:
        rates = self.rates[self.timeline.news_by(at)]
        played = bisect_right(self.steps, at)
        sums = _sums_to_come(rates, played)
        now = np.array([self._now(period, played) for period in _PERIODS])
        period, value, line = self.sides
        over, hit = _over_and_hit(sums, _PLACES[period, value], line - now[period, value])
        win = np.stack([over, np.maximum(1 - over - hit, 0.0)], axis=1)
        win[win < _NEGLIGIBLE] = 0.0
        first = self._winner(win[0], hit[0], rates, at)
        return Shares(np.concatenate([first, win.ravel()]), np.concatenate([[0.0, 0.0], np.repeat(hit, 2)]))

    def _now(self, period: Period, played: int) -> tuple[int, int, int, int]:
        """Lead, points of both, of home and of away in the period so far."""
        so_far = self.points[min(max(played, period.start), period.end)] - self.points[period.start]
        home, away = so_far.tolist()
        return home - away, home + away, home, away

    def _winner(self, level: Floats, tie: float, rates: Floats, at: int) -> Floats:
        """The winner of the match from that of the regular time; the stronger side has the better of overtime."""
        home = rates[0] / rates.sum()
        if at >= self.timeline.ends_at and not self.timeline.is_abandoned:
            home = float(self.wins_overtime)
        return level + tie * np.array([home, 1 - home])


def basketball(
    rng: random.Random, fixture_id: str, names: tuple[str, str], strengths: tuple[float, float], level: float,
    starts_at: int, opens_at: int, rates: Rates,
) -> Basketball:  # fmt: skip
    """A match with its whole course; strengths are logarithms, 0 for the average side."""
    play = rates.plays["basketball"]
    news = news_moments(rng, opens_at, starts_at)
    lead, scale = strengths[0] - strengths[1], level / (_STEPS * _POINTS_MEAN)
    means = rates.basketball.home_mean * np.exp(lead), rates.basketball.away_mean * np.exp(-lead)
    scoring = _believed_rates(rng, scale * np.array(means), len(news), play.news)
    kick_off = starts_at + delay(rng, play)
    steps = tuple(_step_moments(kick_off))
    points = _drawn_points(rng, scoring[-1])
    is_level, is_abandoned = points[-1, 0] == points[-1, 1], rng.random() < play.abandoned_chance
    regular_end = rng.choice(steps[:-1]) if is_abandoned else steps[-1]
    overtime = _OVERTIME if is_level and not is_abandoned else 0
    end = regular_end + overtime
    halts = halts_round(kick_off, [regular_end] if overtime else [], overtime, end)
    timeline = Timeline(
        opens_at, starts_at, kick_off, end, end, news, steps, halts, is_abandoned=is_abandoned
    )  # fmt: skip
    sides, offers = _offered(names, level * np.array(means), lambda kind: margin_of(rates, kind))
    board = laid_out(fixture_id, offers)
    winner_known = NEVER if is_abandoned else end
    decided = np.array([winner_known, *(_decision(side, points, steps) for side in sides)], dtype=np.int64)
    wins_overtime = rng.random() < scoring[-1, 0] / scoring[-1].sum()
    period, value, line = zip(*sides, strict=True)
    return Basketball(
        timeline, board, np.where(decided <= end, decided, NEVER), scoring, points, steps,
        (np.array(period), np.array(value), np.array(line)), wins_overtime,
    )  # fmt: skip


def _believed_rates(rng: random.Random, first: Floats, news: int, size: float) -> Floats:
    """Chances to score in a step after each piece of news, which moves them by its size and on average not at all."""
    rates = [first]
    for _ in range(news):
        rates.append(rates[-1] * (1 + size * np.array([rng.uniform(-1, 1), rng.uniform(-1, 1)])))
    believed: Floats = np.array(rates).clip(0.2, 0.95)
    return believed


def _step_moments(kick_off: int) -> Iterator[int]:
    at = kick_off
    for step in range(1, _STEPS + 1):
        at += _STEP_LASTS
        yield at
        if step % 20 == 0 and step < _STEPS:
            at += _BREAKS[step // 20 - 1]


def _drawn_points(rng: random.Random, rates: Floats) -> NDArray[np.int64]:
    drawn = [
        [rng.choices((0, 1, 2, 3), (1 - rate, *(rate * _POINTS)))[0] for rate in rates.tolist()] for _ in range(_STEPS)
    ]
    return np.cumsum([[0, 0], *drawn], axis=0, dtype=np.int64)


def _steps_left(period: Period, played: int) -> int:
    return period.end - min(max(played, period.start), period.end)


def _sums_to_come(rates: Floats, played: int) -> Floats:
    """Chances that what is to come is at most so much: an array (pairs of _PAIRS, lattice), a lead from its half on."""
    home, away = (1 - rate + rate * (_FREQUENCIES @ _POINTS) for rate in rates)
    logs = np.log(np.stack([home * away.conj(), home * away, home, away]))
    left = [(value, _steps_left(_PERIODS[period], played)) for period, value in _PAIRS]
    different = sorted(set(left))
    powers = np.array([steps for _, steps in different])[:, None] * logs[[value for value, _ in different]]
    chances = np.fft.irfft(np.exp(powers), n=_LATTICE)
    leads = sum(value == 0 for value, _ in different)
    chances[:leads] = np.roll(chances[:leads], _LATTICE // 2, axis=1)
    chances[chances < _NEGLIGIBLE] = 0.0
    upto = np.cumsum(chances, axis=1)
    sums: Floats = (upto / upto[:, -1:])[[different.index(pair) for pair in left]]
    return sums


def _over_and_hit(sums: Floats, pairs: Ints, lines: Floats) -> tuple[Floats, Floats]:
    """For each side, the chances that what is to come of its pair is over the line, and that it is on it."""
    floors = np.floor(lines).astype(np.int64)
    starts = np.where(_IS_LEAD[pairs], _LATTICE // 2, 0)
    upto = _at(sums, pairs, floors + starts)
    hit = np.where(lines == floors, upto - _at(sums, pairs, floors + starts - 1), 0.0)
    over = 1 - upto
    return np.where(over < _NEGLIGIBLE, 0.0, over), np.where(hit < _NEGLIGIBLE, 0.0, hit)


def _at(sums: Floats, pairs: Ints, places: Ints) -> Floats:
    return np.where(places < 0, 0.0, sums[pairs, np.clip(places, 0, _LATTICE - 1)])


def _offered(
    names: tuple[str, str], means: Floats, margin: Callable[[str], float]
) -> tuple[tuple[Side, ...], list[Offer]]:
    """The markets and what they are on. The first offer is the winner, overtime included, which no side stands for."""
    sides, offers = [], []
    for place, period in enumerate(_PERIODS):
        share = (period.end - period.start) / _STEPS
        for side in _period_sides(place, share, means):
            sides.append(side)
            offers.append(_offer(names, side, period, margin))
    winner = Offer("winner", "Winner", names, margin("winner"))
    return tuple(sides), [winner, *offers]


def _period_sides(place: int, share: float, means: Floats) -> Iterator[Side]:
    """The draw-no-bet of the period, handicaps and totals round what is expected; more of them over the whole match."""
    home, away = (means * share).tolist()
    spread = 5 if place == 0 else 1
    yield Side(place, 0, 0.0)
    lead, points = _half_point(home - away), _half_point(home + away)
    yield from (Side(place, 0, lead + step) for step in range(-spread, spread + 1) if lead + step)
    yield from (Side(place, 1, points + 2 * step) for step in range(-spread, spread + 1))
    if place == 0:
        yield Side(place, 0, float(round(home - away)) or 1.0)
        yield from (Side(place, 2, _half_point(home) + step) for step in (-2, 0, 2))
        yield from (Side(place, 3, _half_point(away) + step) for step in (-2, 0, 2))


def _offer(names: tuple[str, str], side: Side, period: Period, margin: Callable[[str], float]) -> Offer:
    home, away = names
    if side.value == 0:
        if not side.line:
            kind, title, outcomes, line = "draw_no_bet", "Draw no bet", names, None
        else:
            kind, title, line = "handicap", "Handicap", f"{-side.line:g}"
            outcomes = f"{home} {-side.line:+g}", f"{away} {side.line:+g}"
    else:
        kind = ("total", "total.home", "total.away")[side.value - 1]
        title = ("Total points", f"Points of {home}", f"Points of {away}")[side.value - 1]
        outcomes, line = (f"Over {side.line:g}", f"Under {side.line:g}"), f"{side.line:g}"
    kind += period.suffix
    return Offer(kind, title + period.name, outcomes, margin(kind), line)


def _decision(side: Side, points: NDArray[np.int64], steps: tuple[int, ...]) -> int:
    """When the period ends, or when its points have passed the line."""
    period = _PERIODS[side.period]
    if side.value:
        scored = points[period.start : period.end + 1] - points[period.start]
        sums = (scored.sum(axis=1), scored[:, 0], scored[:, 1])[side.value - 1]
        passed = np.flatnonzero(sums > side.line)
        if passed.size:
            return steps[period.start + int(passed[0]) - 1]
    return steps[period.end - 1]


def _half_point(value: float) -> float:
    """To the nearest line that nothing can hit."""
    return float(np.floor(value)) + 0.5
