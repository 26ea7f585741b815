"""Offsets without a message, believed only when they are seen twice."""

import numpy as np
from numpy.typing import NDArray


class Gaps:
    """Tells a hole in the log from messages that a client has skipped.

    A client that seeks, pauses and is given partitions may let go of what it has fetched already, without a word. A
    hole in the log itself (a transaction's marker, what compaction took) is still there when it is read again.
    """

    def __init__(self) -> None:
        self._seen: dict[int, set[int]] = {}

    def trusted(self, partition: int, position: int, offsets: NDArray[np.int64]) -> bool:
        """Whether these are all the messages from ``position`` to the last of them, each once.

        False asks for another reading from ``position``; a hole that is there again is then believed.
        """
        steps = np.diff(offsets, prepend=position - 1)
        if (steps == 1).all():
            return True
        if (steps < 1).any():
            return False
        known = {offset for offset in self._seen.get(partition, ()) if offset >= position}
        found = set(offsets[steps > 1].tolist())
        self._seen[partition] = known | found
        return found <= known
