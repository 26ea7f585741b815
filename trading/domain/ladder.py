"""The prices that can be shown: odds in thousandths, with steps that widen as they rise."""

import numpy as np
from numpy.typing import NDArray

# From these odds on, prices rise by this step.
_BANDS = (
    (1_010, 5), (1_200, 10), (2_000, 20), (3_000, 50), (4_000, 100), (6_000, 200), (10_000, 500), (20_000, 1_000),
    (30_000, 2_000), (50_000, 5_000), (100_000, 10_000),
)  # fmt: skip
_TOP = 1_000_000


def _steps() -> list[int]:
    ends = [*(start for start, _ in _BANDS[1:]), _TOP + 1]
    return [odds for (start, step), end in zip(_BANDS, ends, strict=True) for odds in range(start, end, step)]


LADDER: NDArray[np.int64] = np.array(_steps(), dtype=np.int64)
LOWEST, HIGHEST = int(LADDER[0]), int(LADDER[-1])

# Between two steps the border is where the implied chance is half-way.
_BORDERS = 2.0 * LADDER[:-1] * LADDER[1:] / (LADDER[:-1] + LADDER[1:])


def nearest(odds: NDArray[np.float64]) -> NDArray[np.int64]:
    """The step whose implied chance is nearest to that of the odds (thousandths, any positive number)."""
    return LADDER[np.searchsorted(_BORDERS, odds)]


def at_most(odds: NDArray[np.float64]) -> NDArray[np.int64]:
    """The highest step not above the odds; the lowest step where there is none."""
    return LADDER[np.maximum(np.searchsorted(LADDER, odds, side="right") - 1, 0)]
