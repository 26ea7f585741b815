"""What outcomes win and get back void at every score: arrays (outcomes, home score, away score)."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Scores 0 … 15 for each side; the last stands for all beyond it.
GRID = 16

_HOME, _AWAY = np.indices((GRID, GRID)).astype(float)
_VALUES = {
    "goals": _HOME + _AWAY,
    "home": _HOME,
    "away": _AWAY,
    "lead": _HOME - _AWAY,
}


class Shares(NamedTuple):
    """For each outcome what share of a stake is expected to win, and what to come back void; the rest loses.

    Where all is decided these are the results themselves: (1, 0) won, (½, ½) half won, (0, ½) half lost, (0, 1) void,
    (½, 0) won in a dead heat of two.
    """

    win: Floats
    void: Floats


def outright(*wins: NDArray[np.bool_]) -> Shares:
    """Outcomes that win or lose and are never void."""
    win = np.stack(wins).astype(float)
    return Shares(win, np.zeros_like(win))


def either_side(value: Floats, line: float) -> Shares:
    """Two outcomes, over the line and under it; what hits a whole line is void.

    A quarter line is half a stake on each of its neighbours.
    """
    if round(line * 4) % 2:
        lower, upper = either_side(value, line - 0.25), either_side(value, line + 0.25)
        return Shares((lower.win + upper.win) / 2, (lower.void + upper.void) / 2)
    hit = (value == line).astype(float)
    return Shares(np.stack([value > line, value < line]).astype(float), np.stack([hit, hit]))


@cache
def total(of: str, line: float) -> Shares:
    """Over and under of the goals of both (``goals``) or one (``home``, ``away``)."""
    return either_side(_VALUES[of], line)


@cache
def asian_handicap(line: float) -> Shares:
    """Home and away with so many goals added to home."""
    return either_side(_VALUES["lead"], -line)


@cache
def result(start: int = 0) -> Shares:
    """Home, draw, away, with so many goals added to home."""
    lead = _VALUES["lead"] + start
    return outright(lead > 0, lead == 0, lead < 0)


@cache
def double_chance() -> Shares:
    lead = _VALUES["lead"]
    return outright(lead >= 0, lead <= 0, lead != 0)


@cache
def draw_no_bet() -> Shares:
    return either_side(_VALUES["lead"], 0.0)


@cache
def both_to_score() -> Shares:
    both = (_HOME > 0) & (_AWAY > 0)
    return outright(both, ~both)


@cache
def correct_score(most: int) -> Shares:
    """Every score with up to so many goals a side, then any other home win, draw and away win."""
    home, away, lead = _VALUES["home"], _VALUES["away"], _VALUES["lead"]
    exact = [(home == ours) & (away == theirs) for ours, theirs in scores(most)]
    other = (home > most) | (away > most)
    return outright(*exact, other & (lead > 0), other & (lead == 0), other & (lead < 0))


def scores(most: int) -> list[tuple[int, int]]:
    return [(home, away) for home in range(most + 1) for away in range(most + 1)]


@cache
def exact_goals(of: str, most: int) -> Shares:
    """0, 1, … and ``most`` or more."""
    value = _VALUES[of]
    return outright(*(value == count for count in range(most)), value >= most)


@cache
def odd_even(of: str) -> Shares:
    odd = _VALUES[of] % 2 == 1
    return outright(odd, ~odd)


@cache
def winning_margin(most: int) -> Shares:
    """Home by 1 … ``most`` or more, draw, away by 1 … ``most`` or more."""
    lead = _VALUES["lead"]
    return outright(*_leads(lead, most), lead == 0, *_leads(-lead, most))


def _leads(lead: Floats, most: int) -> list[NDArray[np.bool_]]:
    return [*(lead == by for by in range(1, most)), lead >= most]


@cache
def clean_sheet(of: str) -> Shares:
    """Yes and no: the other side does not score."""
    clean = (_AWAY if of == "home" else _HOME) == 0
    return outright(clean, ~clean)


@cache
def win_to_nil(of: str) -> Shares:
    ours, theirs = (_HOME, _AWAY) if of == "home" else (_AWAY, _HOME)
    nil = (ours > 0) & (theirs == 0)
    return outright(nil, ~nil)


@cache
def both_of(first: str, line: float | None) -> Shares:
    """``first`` (``result`` or ``both_to_score``) together with over and under a half line, or with both to score."""
    left = result() if first == "result" else both_to_score()
    right = both_to_score() if line is None else total("goals", line)
    return outright(*(one * other > 0 for one in left.win for other in right.win))
