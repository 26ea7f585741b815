"""The time to which a partition's log has come with each of its messages: the broker's, and it never goes back.

A broker's clock may be set back, and another broker's may be behind. States of one key are ordered by this time and
then by offset, so that within a partition it is always the log that decides, and between partitions (of a topic that
got more of them, or was made anew) as well as clocks can.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message
from numpy.typing import NDArray

Times = NDArray[np.int64]


def appended(messages: Sequence[Message]) -> Times:
    """When the broker took each message, in milliseconds since 1970; 0 where it does not keep that."""
    told = (at if kind == TIMESTAMP_LOG_APPEND_TIME else 0 for kind, at in map(Message.timestamp, messages))
    return np.fromiter(told, np.int64, len(messages))


class LogTimes:
    """How far the time of each partition's log is, from where it was told to start."""

    def __init__(self) -> None:
        self._reached: dict[int, int] = {}

    def start(self, reached: Mapping[int, int]) -> None:
        """So far had the logs of these partitions come where they are read from now on."""
        self._reached |= reached

    def of(self, partition: int, times: Times) -> Times:
        """The times of the next messages of a partition, none of them before the one in front of it."""
        rising = np.maximum.accumulate(np.maximum(times, self._reached.get(partition, 0)))
        if len(rising):
            self._reached[partition] = int(rising[-1])
        return rising
