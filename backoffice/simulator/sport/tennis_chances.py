"""Chances in tennis from the chances of two players to win a point on their own serve.

Points are independent; games, sets and the match follow by recursion, exactly. In a tie-break every point is won with
the mean of serving and receiving.

Source: Klaassen and Magnus (2001), Are points in tennis independent and identically distributed?; Barnett and Clarke
(2005) for the recursion.
"""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backoffice.simulator.sport.board import Floats

GAME, TIE_BREAK = 4, 7
# Final scores of a set, those that the first player wins before the others.
_WON = ((6, 0), (6, 1), (6, 2), (6, 3), (6, 4), (7, 5), (7, 6))
SET_SCORES = (*_WON, *((theirs, ours) for ours, theirs in _WON))
# Final scores of a match in sets.
MATCH_SCORES = ((2, 0), (2, 1), (0, 2), (1, 2))
# Lengths of the arrays of games, and where a lead of 0 stands in that of leads.
GAMES, LEADS, LEVEL = 40, 41, 20


# How each final score moves what comes after it: for every place in the flat array of a ``Rest``, where it came from.
_WIDTH = len(MATCH_SCORES) * GAMES + LEADS


def _sources() -> NDArray[np.int64]:
    places = np.full((len(SET_SCORES), _WIDTH), _WIDTH)
    for score, (ours, theirs) in enumerate(SET_SCORES):
        for outcome in range(len(MATCH_SCORES)):
            start = outcome * GAMES
            places[score, start + ours + theirs : start + GAMES] = np.arange(start, start + GAMES - ours - theirs)
        leads = np.arange(LEADS) - (ours - theirs)
        start = len(MATCH_SCORES) * GAMES
        places[score, start:] = np.where((leads >= 0) & (leads < LEADS), leads + start, _WIDTH)
    return places


_SOURCES = _sources()


class Rest(NamedTuple):
    """What is to come from the start of a set: chances of the final score with the number of games (scores, games),
    and of the lead in games (leads)."""

    games: Floats
    leads: Floats


class Play:
    """All chances for one pair of players; ``serves`` are their chances to win a point on their own serve."""

    def __init__(self, first: float, second: float) -> None:
        self.serves = (first, second)
        self.tie_break_point = (first + 1 - second) / 2
        self._holds = np.array([race(0, 0, first, GAME), 1 - race(0, 0, second, GAME)])
        self._sets = self._all_sets()
        self._after: dict[tuple[int, int, int], Floats] = {}

    def set_scores(self, ours: int, theirs: int, server: int) -> Floats:
        """Chances of the final scores of a set that stands so, at the start of a game."""
        scores: Floats = self._sets[ours, theirs][server]
        return scores

    def running_set(self, games: tuple[int, int], points: tuple[int, int], server: int) -> Floats:
        """Chances of the final scores of a set in the middle of a game."""
        if points == (0, 0):
            return self.set_scores(*games, server)
        if games == (6, 6):
            win = race(*points, self.tie_break_point, TIE_BREAK)
        elif server == 0:
            win = race(*points, self.serves[0], GAME)
        else:
            win = 1 - race(*points[::-1], self.serves[1], GAME)
        ours, theirs = games
        scores: Floats = (
            win * self._sets[ours + 1, theirs][1 - server] + (1 - win) * self._sets[ours, theirs + 1][1 - server]
        )
        return scores

    def after_set(self, sets: tuple[int, int], server: int, scores: Floats) -> Rest:
        """What is to come from the start of a set whose final score has these chances."""
        return _unfolded(scores @ self._continuations(sets, server))

    def _all_sets(self) -> dict[tuple[int, int], Floats]:
        """For every score in games, arrays (server, final scores); from the last game of a set to the first."""
        final = np.eye(len(SET_SCORES))
        known = {score: np.stack([final[place]] * 2) for place, score in enumerate(SET_SCORES)}
        tie_break = np.full(2, race(0, 0, self.tie_break_point, TIE_BREAK))
        for ours, theirs in sorted(product(range(7), repeat=2), key=sum, reverse=True):
            if (ours, theirs) not in known and max(ours, theirs) - min(ours, theirs) < 6:
                win = (tie_break if ours == theirs == 6 else self._holds)[:, None]
                known[ours, theirs] = win * known[ours + 1, theirs][::-1] + (1 - win) * known[ours, theirs + 1][::-1]
        return known

    def _continuations(self, sets: tuple[int, int], server: int) -> Floats:
        """For each final score of the set that begins, what comes with and after it: an array (scores, flat rest)."""
        key = *sets, server
        known = self._after.get(key)
        if known is None:
            rests = np.array([self._folded(sets, server, *score) for score in SET_SCORES])
            known = self._after[key] = np.take_along_axis(rests, _SOURCES, axis=1)
        return known

    def _folded(self, sets: tuple[int, int], server: int, ours: int, theirs: int) -> Floats:
        """What comes after a set, flat; with a last place that holds no chance."""
        after = (sets[0] + 1, sets[1]) if ours > theirs else (sets[0], sets[1] + 1)
        if after in MATCH_SCORES:
            return np.append(_flat_end(after), 0.0)
        follows = next_server(server, ours + theirs)
        return np.append(self.set_scores(0, 0, follows) @ self._continuations(after, follows), 0.0)


def match_over(sets: tuple[int, int]) -> Rest:
    """Nothing is to come."""
    return _unfolded(_flat_end(sets))


def _flat_end(sets: tuple[int, int]) -> Floats:
    flat = np.zeros(_WIDTH)
    flat[MATCH_SCORES.index(sets) * GAMES] = flat[len(MATCH_SCORES) * GAMES + LEVEL] = 1.0
    return flat


def _unfolded(flat: Floats) -> Rest:
    split = len(MATCH_SCORES) * GAMES
    return Rest(flat[:split].reshape(len(MATCH_SCORES), GAMES), flat[split:])


def next_server(server: int, games: int) -> int:
    """Who serves after so many games."""
    return (server + games) % 2


def is_over(ours: int, theirs: int, length: int) -> bool:
    """Whether a race to so many points, two ahead, is won."""
    return max(ours, theirs) >= length and abs(ours - theirs) >= 2


@lru_cache(maxsize=100_000)
def race(ours: int, theirs: int, point: float, length: int) -> float:
    """The chance to win a race to ``length`` points, two ahead, at a chance ``point`` for each."""
    if is_over(ours, theirs, length):
        return float(ours > theirs)
    if min(ours, theirs) >= length - 1:
        deuce = point**2 / (point**2 + (1 - point) ** 2)
        return (deuce, point + (1 - point) * deuce, point * deuce)[ours - theirs]
    return point * race(ours + 1, theirs, point, length) + (1 - point) * race(ours, theirs + 1, point, length)
