"""Offsets without a message: believed at once in quiet reading, and only when missed twice after a seek or a pause."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]


@dataclass(frozen=True)
class _Missing:
    """What a reading up to ``reach`` did not have: each from a start up to its stop. It is read again at ``at``."""

    at: int
    starts: Offsets
    stops: Offsets
    reach: int

    def agreed(self, starts: Offsets, stops: Offsets) -> int | None:
        """Up to where another reading misses only what this one missed too; None: to its end.

        Behind a message at which both have come that far the client reads on in order, and is believed. What is missing
        from before to behind that is believed as far as both of them tell of it.
        """
        # The first hole of this one is where the other begins, or before it.
        nearest = np.searchsorted(self.starts, starts, side="right") - 1
        is_known = self.stops[nearest] >= np.minimum(stops, self.reach)
        doubtful = np.flatnonzero((starts < self.reach) & ~(is_known & (stops <= self.reach)))
        if not len(doubtful):
            return None
        first = doubtful[0]
        return self.reach if is_known[first] else int(starts[first])


class Gaps:
    """Tells a hole in the log from messages that a client has skipped.

    A client that seeks, pauses or is given partitions may let go of what it has fetched already, without a word; so
    what comes next of such a partition is doubted. A hole in the log itself (a transaction's marker, what compaction
    took) is still there when it is read again. A partition that nobody touched is read in order, holes and all.
    """

    def __init__(self) -> None:
        self._doubted: dict[int, _Missing | None] = {}

    def doubt(self, partition: int) -> None:
        """The client was told to do something about this partition: be sure of what it hands out next."""
        self._doubted.setdefault(partition, None)

    def believed(self, partition: int, position: int, offsets: Offsets, following: int) -> int:
        """Up to where, of a reading from ``position`` up to ``following``, these are all the messages, each once.

        Short of ``following`` it has to be read again from there. Each reading is only asked for what the one before it
        told of, so that doubt ends however fast a log grows.
        """
        if following == position:
            return position
        before, after = np.append(position - 1, offsets), np.append(offsets, following)
        if (np.diff(before) < 1).any():
            self.doubt(partition)
            return position
        missing = before + 1 < after
        starts, stops = before[missing] + 1, after[missing]
        until = self._until(partition, position, starts, stops)
        if until is None:
            self._doubted.pop(partition, None)
            return following
        self._doubted[partition] = _Missing(until, starts, stops, following)
        return until

    def _until(self, partition: int, position: int, starts: Offsets, stops: Offsets) -> int | None:
        if partition not in self._doubted or not len(starts):
            return None
        earlier = self._doubted[partition]
        if earlier is None or earlier.at != position:
            return int(starts[0])
        return earlier.agreed(starts, stops)
