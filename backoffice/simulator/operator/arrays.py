"""Types of the engine's columns: one element for each player, event or round."""

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.uint64]
# Texts of UUIDs, 36 bytes each; an empty one is no id.
Ids = npt.NDArray[np.bytes_]
# A table with one row for each player or bet.
Rows = npt.NDArray[np.void]
Array = npt.NDArray[Any]

ID = "S36"


def shares(weights: Any) -> Floats:
    """The weights as cumulative shares along the last axis, for ``searchsorted``; the last is exactly 1."""
    sums = np.cumsum(np.asarray(weights, np.float64), axis=-1)
    return np.asarray(sums / sums[..., -1:])


def places(lengths: Ints) -> tuple[Ints, Ints]:
    """For runs of these lengths, one after another: the run of each element, and its place in the run from 0."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
