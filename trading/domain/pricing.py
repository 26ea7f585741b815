"""From fair chances to the odds that are shown, for many markets at once."""

import numpy as np
from numpy.typing import NDArray

from .ladder import HIGHEST, LOWEST, at_most, nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

METHOD = "odds_ratio"

# Newton's steps double the digits that are right; a market that is all but decided takes the most.
_STEPS = 5
# A market may fall short of its margin by this share of it through rounding before all its prices are rounded down.
_SHORTFALL = 0.1


def priced(chances: Floats, sizes: Ints, winners: Ints, margins: Floats) -> Ints:
    """Odds in thousandths on the ladder.

    ``chances`` are fair and above 0; the rows of a market are neighbours, ``sizes`` are how many each has. The implied
    chances of a market sum to its ``winners`` times 1 and its margin. A market whose margin the ladder would eat is
    rounded down as a whole. Below the lowest and above the highest step the ladder decides the price.
    """
    starts = np.cumsum(sizes) - sizes
    books = winners * (1 + margins)
    odds = 1_000 / np.clip(_with_margin(chances, starts, sizes, books), 1_000 / HIGHEST, 1_000 / LOWEST)
    shown = nearest(odds)
    sums = np.add.reduceat(1_000 / shown, starts)
    short = np.repeat(sums < books - _SHORTFALL * winners * margins, sizes)
    return np.where(short, at_most(odds), shown)


def _with_margin(chances: Floats, starts: Ints, sizes: Ints, books: Floats) -> Floats:
    """Implied chances by the odds-ratio method: π = cp / (1 − p + cp) with Σπ = book, market by market.

    Σπ rises with c ever more slowly, so Newton's method from c = 1 nears the root from one side and never overshoots.
    """
    ratio = np.ones(books.size)
    for _ in range(_STEPS):
        spread = np.repeat(ratio, sizes)
        below = 1 - chances + spread * chances
        implied = spread * chances / below
        slope = np.add.reduceat(implied * (1 - chances) / below, starts) / ratio
        ratio += (books - np.add.reduceat(implied, starts)) / np.maximum(slope, 1e-12)
    spread = np.repeat(ratio, sizes)
    return spread * chances / (1 - chances + spread * chances)
