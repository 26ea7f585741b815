"""Horse racing: each runner's time is exponential, so that the order of the finish is that of Plackett and Luce.

Chances of places are integrals over a runner's own time of how many of the others are faster.

Source: Plackett (1975), The analysis of permutations; Harville (1973) for the places.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backoffice.simulator.durations import MINUTE
from backoffice.simulator.sport.board import Board, Floats, Ints, Offer, laid_out
from backoffice.simulator.sport.rates import Rates, Running, margin_of
from backoffice.simulator.sport.timeline import NEVER, Timeline, delay, news_moments
from trading.domain.payoffs import Shares

_MATCH_BETS = 3

# Points of integration, even in the logarithm of time; all runners together have a rate of 1.
_STEP = 0.25
_TIMES = np.exp(np.arange(-14.0, 8.0, _STEP))


class Tie(NamedTuple):
    """That so many finish at once behind so many others, and the chance of it."""

    ahead: int
    runners: int
    chance: float

    def places(self, paid: int) -> int:
        """How many of the paid places those share who tied."""
        return min(max(paid - self.ahead, 0), self.runners)


@dataclass(frozen=True, slots=True)
class Finish:
    """The runners in their order; those of a ``tie`` share their places, where there is one."""

    order: tuple[int, ...]
    tie: Tie | None = None

    @property
    def tied(self) -> frozenset[int]:
        return frozenset(self.order[self.tie.ahead : self.tie.ahead + self.tie.runners] if self.tie else ())

    def paid(self, places: int) -> dict[int, float]:
        """What share of a stake wins, for each runner that is among the paid places."""
        shares = dict.fromkeys(self.order[:places], 1.0)
        if self.tie is not None:
            shares |= dict.fromkeys(self.tied, self.tie.places(places) / self.tie.runners)
        return shares


@dataclass(frozen=True, slots=True)
class Racing:
    """``strengths`` are the runners' rates after each piece of news: an array (news, runners), 0 for those out."""

    timeline: Timeline
    board: Board
    decided: Ints
    strengths: Floats
    places: int
    ties: tuple[Tie, ...]
    pairs: tuple[tuple[int, int], ...]
    finish: Finish

    def shares(self, at: int) -> Shares:
        strengths = self.strengths[self.timeline.news_by(at)]
        if at >= self.timeline.ends_at and not self.timeline.is_abandoned:
            win, place, pairs = self._finished()
        else:
            win, place, pairs = self._expected(strengths)
        out = strengths == 0
        void = np.concatenate([out, out, *([out[one] | out[other]] * 2 for one, other in self.pairs)]).astype(float)
        return Shares(np.where(void, 0.0, np.concatenate([win, place, pairs])), void)

    def _expected(self, strengths: Floats) -> tuple[Floats, Floats, Floats]:
        ranks = rank_chances(strengths, max(tie.ahead + tie.runners for tie in self.ties))
        sums = [max(strengths[one] + strengths[other], 1e-12) for one, other in self.pairs]
        firsts = [strengths[one] / both for (one, _), both in zip(self.pairs, sums, strict=True)]
        pairs = np.array([chance for first in firsts for chance in (first, 1 - first)])
        return _placed(ranks, 1, self.ties), _placed(ranks, self.places, self.ties), pairs

    def _finished(self) -> tuple[Floats, Floats, Floats]:
        order, tied = self.finish.order, self.finish.tied
        pairs = []
        for one, other in self.pairs:
            is_first = one in order and (other not in order or order.index(one) < order.index(other))
            pairs += [0.5, 0.5] if tied >= {one, other} else [float(is_first), float(not is_first)]
        win, place = np.zeros((2, self.strengths.shape[1]))
        for shares, paid in ((win, 1), (place, self.places)):
            for runner, share in self.finish.paid(paid).items():
                shares[runner] = share
        return win, place, np.array(pairs)


def racing(
    rng: random.Random, fixture_id: str, names: Sequence[str], starts_at: int, opens_at: int, rates: Rates
) -> Racing:  # fmt: skip
    """A race with its whole course. Bets close at the off."""
    play, running = rates.plays["horse_racing"], rates.racing
    news = news_moments(rng, opens_at, starts_at)
    strengths = _believed_strengths(rng, running.spread, len(names), len(news), play.news)
    leaves_at = _withdrawal(rng, running, strengths, news, starts_at)
    off = starts_at + delay(rng, play)
    is_abandoned = rng.random() < play.abandoned_chance
    end = off if is_abandoned else off + rng.randrange(MINUTE, 5 * MINUTE)
    places = next(paid for runners, paid in running.places if len(names) >= runners)
    favourites = np.argsort(-strengths[0])[: 2 * _MATCH_BETS].tolist()
    pairs = tuple(zip(favourites[::2], favourites[1::2], strict=False))
    board = laid_out(fixture_id, _offers(names, places, pairs, rates))
    halts = tuple((at, at + running.leaving_halt) for at in leaves_at)
    timeline = Timeline(opens_at, starts_at, off, off, end, news, (), halts, is_abandoned=is_abandoned)
    decided = np.full(len(board.markets), NEVER if is_abandoned else end, dtype=np.int64)
    for number, pair in enumerate(pairs, 2):
        if not strengths[-1, pair].all():
            decided[number] = leaves_at[0]
    ties = _ties(running, places)
    finish = _drawn_finish(rng, strengths[-1], ties)
    return Racing(timeline, board, decided, strengths, places, ties, pairs, finish)


def rank_chances(strengths: Floats, ranks: int) -> Floats:
    """Chances (runners, ranks) of finishing first, second, …; all 0 for a runner of strength 0."""
    rates = strengths / strengths.sum()
    still = np.exp(-np.outer(rates, _TIMES))
    faster = np.zeros((rates.size, ranks, _TIMES.size))
    faster[:, 0] = 1.0
    for other in np.flatnonzero(rates):
        more = faster * still[other]
        more[:, 1:] += faster[:, :-1] * (1 - still[other])
        more[other] = faster[other]
        faster = more
    density = rates[:, None] * still * _TIMES * _STEP
    chances = np.einsum("ig,irg->ir", density, faster)
    normal: Floats = chances / np.maximum(chances.sum(axis=0), 1e-12)
    return normal


def _placed(ranks: Floats, paid: int, ties: Sequence[Tie]) -> Floats:
    """What share of a stake wins when so many places are paid: those of a tie have equal shares of what they share."""
    placed: Floats = ranks[:, :paid].sum(axis=1)
    for tie in ties:
        alone = ranks[:, tie.ahead : tie.ahead + tie.places(paid)].sum(axis=1)
        together = ranks[:, tie.ahead : tie.ahead + tie.runners].sum(axis=1)
        placed = placed + tie.chance * (together * tie.places(paid) / tie.runners - alone)
    return placed


def _believed_strengths(rng: random.Random, spread: float, runners: int, news: int, size: float) -> Floats:
    """Rates after each piece of news; what bettors learn moves one runner up and another down."""
    strengths = [np.exp([rng.gauss(0, spread) for _ in range(runners)])]
    for _ in range(news):
        strengths.append(strengths[-1] * np.exp([rng.gauss(0, size) for _ in range(runners)]))
    return np.array(strengths)


def _withdrawal(
    rng: random.Random, running: Running, strengths: Floats, news: Sequence[int], starts_at: int
) -> list[int]:  # fmt: skip
    """Now and then one runner leaves with a piece of news; its strength is 0 from then on."""
    late = [place for place, at in enumerate(news, 1) if at >= starts_at - running.leaves_within]
    if not late or rng.random() >= running.non_runner_chance:
        return []
    place, runner = rng.choice(late), rng.randrange(strengths.shape[1])
    strengths[place:, runner] = 0.0
    return [news[place - 1]]


def _ties(running: Running, places: int) -> tuple[Tie, ...]:
    """Where it matters: for the first place, and for the last that is paid."""
    of_three = running.of_three
    return tuple(
        Tie(ahead, runners, running.dead_heat_chance * share)
        for ahead in (0, places - 1)
        for runners, share in ((2, 1 - of_three), (3, of_three))
    )


def _drawn_finish(rng: random.Random, strengths: Floats, ties: Sequence[Tie]) -> Finish:
    times = {runner: rng.expovariate(rate) for runner, rate in enumerate(strengths.tolist()) if rate}
    order = tuple(sorted(times, key=times.__getitem__))
    draw = rng.random()
    for tie in ties:
        if draw < tie.chance:
            return Finish(order, tie)
        draw -= tie.chance
    return Finish(order)


def _offers(names: Sequence[str], places: int, pairs: Sequence[tuple[int, int]], rates: Rates) -> list[Offer]:
    runners = tuple(names)
    matches = (
        Offer(
            "match_bet",
            f"{names[one]} against {names[other]}",
            (names[one], names[other]),
            margin_of(rates, "match_bet"),
        )
        for one, other in pairs
    )
    return [
        Offer("win", "To win", runners, margin_of(rates, "win")),
        Offer("place", "To be placed", runners, margin_of(rates, "place"), winners=places),
        *matches,
    ]
