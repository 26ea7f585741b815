"""Tennis, best of three sets: a match played point by point, and its markets."""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backoffice.simulator.durations import MINUTE, SECOND
from backoffice.simulator.sport.board import Board, Floats, Ints, Offer, laid_out
from backoffice.simulator.sport.rates import Rates, margin_of
from backoffice.simulator.sport.tennis_chances import (
    GAME,
    GAMES,
    LEADS,
    LEVEL,
    MATCH_SCORES,
    SET_SCORES,
    TIE_BREAK,
    Play,
    is_over,
    match_over,
    next_server,
)
from backoffice.simulator.sport.timeline import NEVER, Timeline, delay, halts_round, news_moments
from trading.domain.payoffs import Shares

_POINT_SECONDS, _CHANGE_OF_ENDS, _SET_BREAK = (25, 50), 60 * SECOND, 2 * MINUTE
_SET_LINES = (8.5, 9.5, 10.5, 12.5)
_SETS_ON_OFFER = 2


def _set_payoffs() -> Floats:
    """What the markets on a set pay at each of its final scores: its winner, its lines, its score."""
    games = np.array([sum(score) for score in SET_SCORES])
    wins = np.array([ours > theirs for ours, theirs in SET_SCORES])
    lines = [side for line in _SET_LINES for side in (games > line, games < line)]
    return np.concatenate([np.stack([wins, ~wins, *lines]).astype(float), np.eye(len(SET_SCORES))])


_SET_PAYOFFS = _set_payoffs()


@dataclass(frozen=True, slots=True)
class State:
    """The score: final scores of the sets that are over (places in SET_SCORES), games and points of the running one.

    ``opened`` served first in the running set.
    """

    sets: tuple[int, ...] = ()
    games: tuple[int, int] = (0, 0)
    points: tuple[int, int] = (0, 0)
    opened: int = 0

    @property
    def server(self) -> int:
        return next_server(self.opened, sum(self.games))

    @property
    def in_sets(self) -> tuple[int, int]:
        won = sum(score < len(SET_SCORES) // 2 for score in self.sets)
        return won, len(self.sets) - won

    @property
    def is_over(self) -> bool:
        return max(self.in_sets) == 2

    @property
    def is_tie_break(self) -> bool:
        return self.games == (6, 6)


class Moment(NamedTuple):
    at: int
    state: State
    is_break: bool


class Lines(NamedTuple):
    """On the games of the match, and on the lead of the first player in games."""

    games: Floats
    leads: Floats


@dataclass(frozen=True, slots=True)
class Tennis:
    """``serves`` are the chances of both to win a point on serve, after each piece of news: an array (news, 2)."""

    timeline: Timeline
    board: Board
    decided: Ints
    serves: Floats
    moments: tuple[Moment, ...]
    lines: Lines
    _plays: dict[int, Play] = field(default_factory=dict, compare=False, repr=False)

    def shares(self, at: int) -> Shares:
        played = bisect_right(self.moments, at, key=lambda moment: moment.at)
        state = self.moments[played - 1].state if played else replace(self.moments[0].state, points=(0, 0))
        play = self._play(self.timeline.news_by(at))
        win = np.concatenate(list(_chances(play, state, self.lines)))
        return Shares(win, np.zeros_like(win))

    def _play(self, news: int) -> Play:
        play = self._plays.get(news)
        if play is None:
            self._plays.clear()
            play = self._plays[news] = Play(*self.serves[news].tolist())
        return play


def tennis(
    rng: random.Random, fixture_id: str, names: tuple[str, str], strengths: tuple[float, float], starts_at: int,
    opens_at: int, rates: Rates,
) -> Tennis:  # fmt: skip
    """A match with its whole course; strengths are added to the chances of points, 0 for the average player."""
    play = rates.plays["tennis"]
    news = news_moments(rng, opens_at, starts_at)
    serves = _believed_serves(rng, rates.tennis, strengths, len(news), play.news)
    kick_off = starts_at + delay(rng, play)
    moments = tuple(_played(rng, Play(*serves[-1].tolist()), kick_off))
    is_abandoned = rng.random() < play.abandoned_chance
    if is_abandoned:
        moments = moments[: rng.randrange(1, len(moments))]
    end = moments[-1].at
    lines = _lines(Play(*serves[0].tolist()))
    board = laid_out(fixture_id, _offers(names, lines, lambda kind: margin_of(rates, kind)))
    decided = np.array(list(_decisions(moments, lines)), dtype=np.int64)
    breaks = [moment.at for moment in moments if moment.is_break]
    timeline = Timeline(
        opens_at, starts_at, kick_off, end, end, news, tuple(moment.at for moment in moments),
        halts_round(kick_off, breaks, play.halt, end), is_abandoned=is_abandoned,
    )  # fmt: skip
    return Tennis(timeline, board, np.where(decided <= end, decided, NEVER), serves, moments, lines)


def _believed_serves(
    rng: random.Random, point: float, strengths: tuple[float, float], news: int, size: float
) -> Floats:  # fmt: skip
    lead = strengths[0] - strengths[1]
    serves = [np.array([point + lead, point - lead])]
    for _ in range(news):
        serves.append(serves[-1] + [rng.gauss(0, size / 2), rng.gauss(0, size / 2)])
    believed: Floats = np.array(serves).clip(0.45, 0.85)
    return believed


def _played(rng: random.Random, play: Play, kick_off: int) -> Iterator[Moment]:
    """Every point of the match, with the score after it."""
    state, at = State(opened=rng.randrange(2)), kick_off
    while not state.is_over:
        at += round(rng.uniform(*_POINT_SECONDS) * SECOND)
        server, games, sets = state.server, sum(state.games), len(state.sets)
        point = play.tie_break_point if state.is_tie_break else (play.serves[0], 1 - play.serves[1])[server]
        scorer = 0 if rng.random() < point else 1
        before, state = state, _scored(state, scorer)
        is_break = state.points == (0, 0) and scorer != server and not before.is_tie_break
        yield Moment(at, state, is_break)
        if len(state.sets) > sets:
            at += _SET_BREAK
        elif sum(state.games) > games and sum(state.games) % 2:
            at += _CHANGE_OF_ENDS


def _scored(state: State, scorer: int) -> State:
    points = _one_more(state.points, scorer)
    if not is_over(*points, TIE_BREAK if state.is_tie_break else GAME):
        return replace(state, points=points)
    games = _one_more(state.games, scorer)
    if games not in SET_SCORES:
        return replace(state, games=games, points=(0, 0))
    return State((*state.sets, SET_SCORES.index(games)), opened=next_server(state.opened, sum(games)))


def _one_more(score: tuple[int, int], scorer: int) -> tuple[int, int]:
    return (score[0] + 1, score[1]) if scorer == 0 else (score[0], score[1] + 1)


def _chances(play: Play, state: State, lines: Lines) -> Iterator[Floats]:
    """Chances of the outcomes of each market, in the order of ``_offers``."""
    if state.is_over:
        running, rest = np.zeros(len(SET_SCORES)), match_over(state.in_sets)
    else:
        running = play.running_set(state.games, state.points, state.server)
        rest = play.after_set(state.in_sets, state.opened, running)
    scores = rest.games.sum(axis=1)
    yield np.array([scores[:2].sum(), scores[2:].sum()])
    yield scores
    yield np.array([scores[1::2].sum(), scores[::2].sum()])
    played = [SET_SCORES[place] for place in state.sets]
    games = rest.games.sum(axis=0)
    yield _over_under(games, np.arange(GAMES) + sum(map(sum, played)), lines.games)
    ahead = sum(ours - theirs for ours, theirs in played)
    yield _over_under(rest.leads, np.arange(LEADS) - LEVEL + ahead, lines.leads)
    for chances in _sets(play, state, running):
        yield _SET_PAYOFFS @ chances


def _over_under(chances: Floats, values: NDArray[np.int_], lines: Floats) -> Floats:
    """Over and under of each line in turn."""
    over = values > lines[:, None]
    both: Floats = np.stack([over @ chances, ~over @ chances], axis=1)
    return both.ravel()


def _sets(play: Play, state: State, running: Floats) -> Iterator[Floats]:
    """Chances of the final scores of the first sets, whether over, running or to come."""
    for number in range(_SETS_ON_OFFER):
        if number < len(state.sets):
            yield np.eye(len(SET_SCORES))[state.sets[number]]
        elif number == len(state.sets):
            yield running
        else:
            servers = np.array([next_server(state.opened, sum(score)) for score in SET_SCORES])
            second = float(running @ servers)
            yield (1 - second) * play.set_scores(0, 0, 0) + second * play.set_scores(0, 0, 1)


def _lines(play: Play) -> Lines:
    """Round what is expected when betting opens."""
    rest = play.after_set((0, 0), 0, play.set_scores(0, 0, 0))
    games = np.floor(rest.games.sum(axis=0) @ np.arange(GAMES)) + 0.5
    lead = np.floor(rest.leads @ (np.arange(LEADS) - LEVEL)) + 0.5
    return Lines(games + np.array([-3, -1, 0, 1, 3]), lead + np.array([-2, -1, 0, 1, 2]))


def _offers(names: tuple[str, str], lines: Lines, margin: Callable[[str], float]) -> list[Offer]:
    first, second = names
    scores = tuple(f"{first if ours > theirs else second} {ours}-{theirs}" for ours, theirs in MATCH_SCORES)
    offers = [
        Offer("winner", "Winner", names, margin("winner")),
        Offer("set_betting", "Set betting", scores, margin("set_betting")),
        _total("total.sets", "Total sets", 2.5, margin),
        *(_total("total.games", "Total games", line, margin) for line in lines.games),
    ]
    for lead in lines.leads:
        outcomes = f"{first} {-lead:+g}", f"{second} {lead:+g}"
        offers.append(Offer("handicap.games", "Games handicap", outcomes, margin("handicap"), f"{-lead:g}"))
    for number in range(1, _SETS_ON_OFFER + 1):
        offers.append(Offer(f"set.winner.{number}", f"Winner of set {number}", names, margin("set")))
        title = f"Games in set {number}"
        offers += [_total(f"total.games.set_{number}", title, line, margin) for line in _SET_LINES]
        exact = tuple(f"{ours}-{theirs}" for ours, theirs in SET_SCORES)
        offers.append(Offer(f"correct_score.set_{number}", f"Score of set {number}", exact, margin("correct_score")))
    return offers


def _total(kind: str, title: str, line: float, margin: Callable[[str], float]) -> Offer:
    return Offer(kind, title, (f"Over {line:g}", f"Under {line:g}"), margin(kind), f"{line:g}")


def _decisions(moments: tuple[Moment, ...], lines: Lines) -> Iterator[int]:
    """When each market is decided, in the order of ``_offers``; NEVER where the match ended before."""
    moments = tuple(moment for moment in moments if moment.state.points == (0, 0))
    ending = next((moment.at for moment in moments if moment.state.is_over), NEVER)
    yield ending
    yield ending
    yield min(ending, _first_over(moments, lambda state: min(state.in_sets), 0))
    for line in lines.games.tolist():
        yield min(ending, _first_over(moments, _games_played, line))
    for _ in lines.leads:
        yield ending
    for number in range(_SETS_ON_OFFER):
        set_end = _first_over(moments, lambda state: len(state.sets), number)
        yield set_end
        for line in _SET_LINES:
            yield min(set_end, _first_over(moments, partial(_games_of, number), line))
        yield set_end


def _first_over(moments: tuple[Moment, ...], value: Callable[[State], int], bound: float) -> int:
    """The first moment at which the value is over the bound; NEVER where there is none."""
    return next((moment.at for moment in moments if value(moment.state) > bound), NEVER)


def _games_played(state: State) -> int:
    return sum(sum(SET_SCORES[place]) for place in state.sets) + sum(state.games)


def _games_of(number: int, state: State) -> int:
    """Games of the running set, where it is this one."""
    return sum(state.games) if len(state.sets) == number else 0
