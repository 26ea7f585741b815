"""Football: goals of both sides as two Poisson processes that run faster towards the end of the match.

Given the score and the clock, what is to come is again Poisson, so that all chances are exact at any moment.

Source: Maher (1982), Modelling association football scores; the growth of the rate follows the share of goals in first
halves, 46 % in the Premier League of 2019-20.
"""

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import lgamma
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backoffice.simulator.durations import MINUTE
from backoffice.simulator.sport.board import Board, Floats, Ints, Offer, laid_out
from backoffice.simulator.sport.football_board import (
    GOALS,
    HALVES,
    MATCH,
    QUARTERS,
    Period,
    Sides,
    quarter,
    scored_offers,
    special_offers,
)
from backoffice.simulator.sport.rates import Rates, margin_of
from backoffice.simulator.sport.timeline import NEVER, Timeline, delay, halts_round, news_moments
from trading.domain.payoffs import GRID, Shares

# The rate of goals rises in a straight line by this share over the match.
_GROWTH = 0.4
_BREAK = 15 * MINUTE
_COUNTS = np.arange(GRID)
_LOG_FACTORIALS = np.array([lgamma(count + 1) for count in range(GRID)])
_LEADS = (_COUNTS[:, None] - _COUNTS[None, :] + GRID - 1).ravel()


class Goal(NamedTuple):
    at: int
    minute: float
    is_home: bool


class Halves(NamedTuple):
    """When the halves begin and end; added time is known from the start."""

    first: tuple[int, int]
    second: tuple[int, int]

    def minute(self, at: int) -> float:
        """The minute of the match without added time: 0 before, 45 in the break, 90 after."""
        return 45 * (_part(at, self.first) + _part(at, self.second))

    def end_of(self, period: Period) -> int:
        return self.first[1] if period.end == 45 else self.second[1] if period.end == 90 else self.moment(period.end)

    def moment(self, minute: float) -> int:
        start, end = self.first if minute < 45 else self.second
        return start + round((minute % 45) / 45 * (end - start))


class Stacked(NamedTuple):
    """Payoffs of markets on one score: arrays (rows, cells of the score grid), and how many rows each market has."""

    win: Floats
    void: Floats
    sizes: Ints


class Section(NamedTuple):
    """The markets on the score of one period, and the number of the first of them."""

    period: Period
    payoffs: Stacked
    first_market: int


@dataclass(frozen=True, slots=True)
class Football:
    """``means`` are the goals of home and away expected after each piece of news: an array (news, 2)."""

    timeline: Timeline
    board: Board
    decided: Ints
    means: Floats
    goals: tuple[Goal, ...]
    halves: Halves
    sections: tuple[Section, ...]
    is_featured: bool

    def shares(self, at: int) -> Shares:
        means = self.means[self.timeline.news_by(at)]
        now = self.halves.minute(at)
        goals = self.goals[: bisect_right(self.goals, (at, 100.0, True))]
        periods = [section.period for section in self.sections]
        counts = np.array([_scored_in(period, goals) for period in periods])
        due = np.array([_share(now, period) for period in periods])
        sides = _counts_to_come(due[:, None] * means, counts)
        scores = (sides[:, 0, :, None] * sides[:, 1, None, :]).reshape(len(periods), -1)
        wins = [section.payoffs.win @ score for section, score in zip(self.sections, scores, strict=True)]
        voids = [section.payoffs.void @ score for section, score in zip(self.sections, scores, strict=True)]
        specials = self._specials(means, now, goals, scores)
        return Shares(np.concatenate([*wins, specials]), np.concatenate([*voids, np.zeros(specials.size)]))

    def _specials(self, means: Floats, now: float, goals: Sequence[Goal], scores: Floats) -> Floats:
        halves = [place for place, section in enumerate(self.sections) if section.period in HALVES]
        first, second = scores[halves[0]], scores[halves[1]]
        return np.concatenate(
            [
                _next_goals(GOALS[self.is_featured], goals, means, _share(now, MATCH)),
                _double_result(first, second),
                _highest_half(first, second),
            ]
        )


def football(
    rng: random.Random, fixture_id: str, names: tuple[str, str], strengths: tuple[float, float], level: float,
    starts_at: int, opens_at: int, rates: Rates, *, is_featured: bool,
) -> Football:  # fmt: skip
    """A match with its whole course; strengths are logarithms, 0 for the average side of the competition."""
    play = rates.plays["football"]
    kick_off = starts_at + delay(rng, play)
    halves = _played_halves(rng, kick_off)
    news = news_moments(rng, opens_at, starts_at)
    lead = strengths[0] - strengths[1]
    scoring = rates.football
    first = level * scoring.home_mean * np.exp(lead), level * scoring.away_mean * np.exp(-lead)
    means = _believed_means(rng, first, len(news), play.news)
    goals = _drawn_goals(rng, means[-1], halves)
    is_abandoned = rng.random() < play.abandoned_chance
    end = halves.moment(rng.uniform(5, 85)) if is_abandoned else halves.second[1]
    goals = tuple(goal for goal in goals if goal.at <= end)
    home, away = means[0].tolist()
    # Half of all matches have fewer goals than this, nearly; the mean is a little higher.
    lines = quarter(home + away - 0.15), quarter(home - away)
    sides = Sides(*names, *lines, lambda kind: margin_of(rates, kind))
    sections, board = _offered(fixture_id, sides, is_featured=is_featured)
    incidents = [goal.at for goal in goals]
    timeline = Timeline(
        opens_at, starts_at, kick_off, end, end, news, (*incidents, *halves.first, *halves.second),
        halts_round(kick_off, incidents, play.halt, end), play.tick, is_abandoned,
    )  # fmt: skip
    decided = _decisions(board, sections, goals, halves, is_featured=is_featured)
    return Football(
        timeline, board, np.where(decided <= end, decided, NEVER), means, goals, halves, sections, is_featured
    )  # fmt: skip


def _part(at: int, half: tuple[int, int]) -> float:
    start, end = half
    return min(max((at - start) / (end - start), 0.0), 1.0)


def _played_halves(rng: random.Random, kick_off: int) -> Halves:
    first_end = kick_off + 45 * MINUTE + rng.randrange(MINUTE, 4 * MINUTE)
    second = first_end + _BREAK + rng.randrange(2 * MINUTE)
    return Halves((kick_off, first_end), (second, second + 45 * MINUTE + rng.randrange(2 * MINUTE, 7 * MINUTE)))


def _believed_means(rng: random.Random, first: tuple[float, float], news: int, size: float) -> Floats:
    """Expected goals after each piece of news. News moves their logarithms, and on average not the means themselves."""
    means = [first]
    for _ in range(news):
        home, away = (mean * np.exp(rng.gauss(0, size) - size**2 / 2) for mean in means[-1])
        means.append((home, away))
    return np.array(means)


def _drawn_goals(rng: random.Random, means: Floats, halves: Halves) -> tuple[Goal, ...]:
    """The goals of both sides: gaps between them are exponential on the clock of the rate."""
    goals = []
    for mean, is_home in zip(means.tolist(), (True, False), strict=True):
        passed = rng.expovariate(mean)
        while passed < 1:
            minute = _minute_when(passed)
            goals.append(Goal(halves.moment(minute), minute, is_home))
            passed += rng.expovariate(mean)
    return tuple(sorted(goals))


def _passed(minute: float) -> float:
    """The share of a match's goals that is expected before a minute."""
    part = minute / 90
    return part * (1 + _GROWTH * part / 2) / (1 + _GROWTH / 2)


def _minute_when(passed: float) -> float:
    """The inverse of ``_passed``."""
    whole = passed * (1 + _GROWTH / 2)
    part: float = (-1 + (1 + 2 * _GROWTH * whole) ** 0.5) / _GROWTH
    return 90 * part


def _share(now: float, period: Period) -> float:
    """The share of the match's goals that is still expected in the period."""
    return _passed(period.end) - _passed(min(max(now, period.start), period.end))


def _scored_in(period: Period, goals: Sequence[Goal]) -> tuple[int, int]:
    scored = [goal.is_home for goal in goals if period.start <= goal.minute < period.end]
    return sum(scored), len(scored) - sum(scored)


def _counts_to_come(means: Floats, counts: NDArray[np.int_]) -> Floats:
    """Chances of every final count: what there is already plus a Poisson number; arrays (…) to (…, counts)."""
    more = _COUNTS - counts[..., None]
    # Where nothing is to come, e to the power of this is 0 for any goal, and 1 for none.
    logs = np.where(means > 0, np.log(np.maximum(means, 1e-300)), -1e4)[..., None]
    reachable = np.maximum(more, 0)
    chances = np.exp(reachable * logs - means[..., None] - _LOG_FACTORIALS[reachable])
    chances = np.where(more >= 0, chances, 0.0)
    chances[..., -1] += np.maximum(1 - chances.sum(axis=-1), 0.0)
    return chances


def _next_goals(markets: int, goals: Sequence[Goal], means: Floats, due: float) -> Floats:
    """Home, no goal, away for each goal of the match; a goal is of home by its share of the rate, at any time."""
    home = means[0] / means.sum()
    counts = _counts_to_come(due * means.sum(), np.array(0))
    chances = []
    for number in range(markets):
        if number < len(goals):
            chances += [float(goals[number].is_home), 0.0, float(not goals[number].is_home)]
        else:
            fewer = counts[: number - len(goals) + 1].sum() if due else 1.0
            chances += [home * (1 - fewer), fewer, (1 - home) * (1 - fewer)]
    return np.array(chances)


def _double_result(first: Floats, second: Floats) -> Floats:
    """Chances of home, draw, away at half-time with each of the three at the end."""
    leads = np.bincount(_LEADS, weights=first, minlength=2 * GRID - 1)
    more = np.bincount(_LEADS, weights=second, minlength=2 * GRID - 1)
    even, chances = GRID - 1, []
    for at_half in (slice(even + 1, None), slice(even, even + 1), slice(0, even)):
        part = np.zeros_like(leads)
        part[at_half] = leads[at_half]
        full = np.convolve(part, more)
        chances += [full[2 * even + 1 :].sum(), full[2 * even], full[: 2 * even].sum()]
    return np.array(chances)


def _highest_half(first: Floats, second: Floats) -> Floats:
    """Chances of more goals in the first half, of as many, and of more in the second."""
    counts = (_COUNTS[:, None] + _COUNTS[None, :]).ravel()
    early = np.bincount(counts, weights=first)
    late = np.bincount(counts, weights=second)
    same = float(early @ late)
    more_late = float(early @ (late.sum() - np.cumsum(late)))
    return np.array([float(late @ (early.sum() - np.cumsum(early))), same, more_late])


def _offered(fixture_id: str, sides: Sides, *, is_featured: bool) -> tuple[tuple[Section, ...], Board]:
    sections: list[Section] = []
    offers: list[Offer] = []
    for period in (MATCH, *HALVES, *(QUARTERS if is_featured else ())):
        stacked = _stacked(period, sides.goals, sides.lead, is_featured=is_featured)
        sections.append(Section(period, stacked, len(offers)))
        offers += [market.offer for market in scored_offers(sides, period, is_featured=is_featured)]
    return tuple(sections), laid_out(fixture_id, [*offers, *special_offers(sides, is_featured=is_featured)])


@lru_cache(maxsize=1_000)
def _stacked(period: Period, goals: float, lead: float, *, is_featured: bool) -> Stacked:
    """The payoffs of a period; they follow from the lines alone, and many matches share them."""
    sides = Sides("", "", goals, lead, lambda _: 0.0)
    payoffs = [market.payoff for market in scored_offers(sides, period, is_featured=is_featured)]
    empty = np.empty((0, GRID, GRID))
    win = np.concatenate([empty, *(payoff.win for payoff in payoffs)])
    void = np.concatenate([empty, *(payoff.void for payoff in payoffs)])
    sizes = np.array([len(payoff.win) for payoff in payoffs], dtype=np.int64)
    return Stacked(win.reshape(-1, GRID * GRID), void.reshape(-1, GRID * GRID), sizes)


def _decisions(
    board: Board, sections: Sequence[Section], goals: Sequence[Goal], halves: Halves, *, is_featured: bool
) -> Ints:
    """For each market, when nothing that may still happen can change its result."""
    decided = np.full(len(board.markets), halves.second[1], dtype=np.int64)
    for section in sections:
        span = slice(section.first_market, section.first_market + section.payoffs.sizes.size)
        decided[span] = np.minimum(halves.end_of(section.period), _settled_by_goals(section, goals))
    specials = len(board.markets) - GOALS[is_featured] - 2
    for number, goal in enumerate(goals[: GOALS[is_featured]]):
        decided[specials + number] = goal.at
    return decided


def _settled_by_goals(section: Section, goals: Sequence[Goal]) -> Ints:
    """For each market of the section, the first goal after which all scores that can be reached pay the same."""
    sizes = section.payoffs.sizes
    settled = np.full(sizes.size, NEVER, dtype=np.int64)
    payoffs = [part.reshape(-1, GRID, GRID) for part in (section.payoffs.win, section.payoffs.void)]
    scores = [0, 0]
    for goal in goals:
        if sizes.size and section.period.start <= goal.minute < section.period.end:
            scores[0 if goal.is_home else 1] += 1
            home, away = scores
            varies = sum(np.ptp(part[:, home:, away:], axis=(1, 2)) for part in payoffs)
            is_settled = np.add.reduceat(varies, np.cumsum(sizes) - sizes) == 0
            settled = np.where(is_settled & (settled == NEVER), goal.at, settled)
    return settled
