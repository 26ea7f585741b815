"""Offsets without a message: believed at once in quiet reading, and only when seen twice after a seek or a pause."""

import numpy as np
from numpy.typing import NDArray


class Gaps:
    """Tells a hole in the log from messages that a client has skipped.

    A client that seeks, pauses or is given partitions may let go of what it has fetched already, without a word; so
    what comes next of such a partition is doubted. A hole in the log itself (a transaction's marker, what compaction
    took) is still there when it is read again. A partition that nobody touched is read in order, holes and all.
    """

    def __init__(self) -> None:
        self._doubted: dict[int, set[int]] = {}

    def doubt(self, partition: int) -> None:
        """The client was told to do something about this partition: be sure of what it hands out next."""
        self._doubted.setdefault(partition, set())

    def trusted(self, partition: int, position: int, offsets: NDArray[np.int64]) -> bool:
        """Whether these are all the messages from ``position`` to the last of them, each once.

        False asks for another reading from ``position``; a hole that is there again is then believed.
        """
        steps = np.diff(offsets, prepend=position - 1)
        if (steps < 1).any():
            self.doubt(partition)
            return False
        found = set(offsets[steps > 1].tolist())
        known = self._doubted.get(partition)
        if known is None or found <= known:
            self._doubted.pop(partition, None)
            return True
        known |= found
        return False
