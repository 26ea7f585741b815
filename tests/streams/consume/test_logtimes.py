"""How far a log has come in time: the broker's word, and never back."""

from itertools import accumulate

import numpy as np
import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, TIMESTAMP_NOT_AVAILABLE, Message
from hypothesis import given
from hypothesis import strategies as st

from backoffice.streams.consume.logtimes import LogTimes, appended

BATCHES = st.lists(st.lists(st.integers(0, 50), max_size=5), max_size=6)


def of(times: LogTimes, partition: int, *told: int) -> list[int]:
    found: list[int] = times.of(partition, np.array(told, np.int64)).tolist()
    return found


@pytest.mark.parametrize(
    ("kind", "time"), [(TIMESTAMP_LOG_APPEND_TIME, 5), (TIMESTAMP_CREATE_TIME, 0), (TIMESTAMP_NOT_AVAILABLE, 0)]
)
def test_only_the_brokers_time_counts(kind: int, time: int) -> None:
    messages = [Message(topic="t", timestamp=(kind, 5)), Message(topic="t", timestamp=(TIMESTAMP_LOG_APPEND_TIME, 7))]

    assert appended(messages).tolist() == [time, 7]
    assert appended([]).tolist() == []


@given(BATCHES, st.integers(0, 60))
def test_time_never_goes_back_however_the_messages_come(batches: list[list[int]], reached: int) -> None:
    times = LogTimes()
    times.start({3: reached})

    found = [at for batch in batches for at in of(times, 3, *batch)]

    assert found == list(accumulate((at for batch in batches for at in batch), max, initial=reached))[1:]


def test_partitions_have_times_of_their_own() -> None:
    times = LogTimes()

    assert of(times, 7, 0, 0) == [0, 0], "a log that keeps no times has none"
    assert of(times, 1, 9) == [9]
    assert of(times, 2, 4) == [4]
    times.start({1: 2, 3: 5})
    assert of(times, 1, 3) == [3]
    assert of(times, 2, 1) == [4]
    assert of(times, 3, 1) == [5]
