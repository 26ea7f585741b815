"""A hole in the offsets is believed when it is there twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from backoffice.streams.consume.gaps import Gaps


def offsets(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def touched(*partitions: int) -> Gaps:
    """The holes of a client that has just been told to seek these partitions."""
    gaps = Gaps()
    for partition in partitions:
        gaps.doubt(partition)
    return gaps


def read(gaps: Gaps, position: int, *numbers: int, end: int = 0, partition: int = 0) -> int:
    """Up to where a reading is believed that has these messages, and comes to the ``end`` of the log or not."""
    following = max(end, numbers[-1] + 1 if numbers else position)
    return gaps.believed(partition, position, offsets(*numbers), following)


def test_messages_one_after_another_are_believed_at_once() -> None:
    assert read(touched(0), 5, 5, 6, 7) == 8


def test_a_hole_in_a_partition_that_nobody_touched_is_one_of_the_log() -> None:
    assert read(Gaps(), 5, 5, 8) == 9


def test_what_stands_before_the_first_hole_is_believed_at_once() -> None:
    assert read(touched(0), 5, 5, 6, 8) == 7


def test_what_the_client_skipped_is_read_again_and_then_there() -> None:
    gaps = touched(0)

    assert read(gaps, 5, 5, 8) == 6
    assert read(gaps, 6, 6, 7, 8) == 9


def test_a_hole_of_the_log_is_believed_the_second_time() -> None:
    gaps = touched(0)

    assert read(gaps, 5, 7, 8) == 5
    assert read(gaps, 5, 7, 8) == 9


def test_doubt_ends_with_the_first_reading_that_is_believed() -> None:
    gaps = touched(0)
    read(gaps, 5, 5, 6)

    assert read(gaps, 7, 7, 9) == 10


def test_a_reading_of_nothing_ends_no_doubt() -> None:
    """An end of the log at the position itself may have been told before the client was touched."""
    gaps = touched(0)
    assert read(gaps, 5, end=5) == 5

    assert read(gaps, 5, 7) == 5


def test_doubt_is_of_one_partition_only() -> None:
    gaps = touched(0, 1)
    read(gaps, 5, 7)

    assert read(gaps, 5, 7, partition=1) == 5
    assert read(gaps, 5, 7, partition=2) == 8


@pytest.mark.parametrize("second", [(7, 9, 10), (8, 9, 10), (9, 10)], ids=["behind", "longer", "longer still"])
def test_another_hole_is_not_believed_for_the_sake_of_the_first(second: tuple[int, ...]) -> None:
    gaps = touched(0)
    read(gaps, 5, 7, 8, 9, 10)

    assert read(gaps, 5, *second) < second[-1]


def test_of_two_other_holes_the_first_is_read_again() -> None:
    gaps = touched(0)
    read(gaps, 5, 7, 8, 9, 10)

    assert read(gaps, 5, 7, 9, 11) == 8


def test_a_message_twice_is_never_believed() -> None:
    gaps = Gaps()

    assert read(gaps, 5, 5, 5, 6) == 5
    assert read(gaps, 5, 5, 5, 6) == 5


def test_a_hole_behind_a_message_that_came_twice_is_not_believed_at_once() -> None:
    gaps = Gaps()
    read(gaps, 5, 5, 5, 6)

    assert read(gaps, 5, 5, 6, 8) == 7
    assert read(gaps, 7, 8) == 9


def test_a_hole_that_was_not_there_yet_needs_no_third_reading() -> None:
    """As the marker of each transaction that is committed meanwhile."""
    gaps = touched(0)

    assert read(gaps, 5, 5, 7) == 6
    assert read(gaps, 6, 7, 9, 11) == 12
    assert read(gaps, 12, 13) == 14


def test_a_hole_at_the_end_of_the_log_is_believed_the_second_time() -> None:
    gaps = touched(0)

    assert read(gaps, 5, 5, end=8) == 6
    assert read(gaps, 6, end=8) == 8


def test_a_hole_that_grows_is_passed_as_far_as_it_was_seen_twice() -> None:
    """As where one transaction after the other is aborted."""
    gaps = touched(0)

    assert read(gaps, 5, end=8) == 5
    assert read(gaps, 5, end=11) == 8
    assert read(gaps, 8, end=14) == 11
    assert read(gaps, 11, 14) == 15


def test_what_is_skipped_behind_a_hole_of_the_log_is_not_believed() -> None:
    gaps = touched(0)
    read(gaps, 5, 5, end=7)

    assert read(gaps, 6, 9, 10) == 7
    assert read(gaps, 7, 7, 8, 9, 10) == 11


def test_holes_of_another_place_are_no_reason_to_believe_one_here() -> None:
    gaps = touched(0)
    read(gaps, 5, 7, 8)

    assert read(gaps, 20, 22, 23) == 20
    assert read(gaps, 6, 7, 8) == 6


LOGS = st.lists(st.booleans(), min_size=1, max_size=60).map(lambda there: [n for n, is_in in enumerate(there) if is_in])


LENGTH = 60
QUIET = [(LENGTH, 0), (0, 0), (0, 0)]


@given(LOGS, st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_all_messages_come_once_and_in_order_whatever_the_client_skips(
    log: list[int], readings: list[tuple[int, int]]
) -> None:
    """It lets go of what is next, as it does after a seek, and has it after the next one; the log grows meanwhile."""
    gaps, position, end = touched(0), 0, 0
    taken: list[int] = []
    for grown, skipped in [*((grown, skipped) for each in readings for grown, skipped in (each, (0, 0))), *QUIET]:
        end = min(LENGTH, end + grown)
        there = [offset for offset in log if position + skipped <= offset < end]
        start, position = position, read(gaps, position, *there, end=max(end, position))
        taken += [offset for offset in there if start <= offset < position]
        gaps.doubt(0)

    assert taken == log


@given(LOGS, st.lists(st.integers(0, LENGTH), min_size=2, max_size=9).map(sorted))
def test_each_reading_is_believed_as_far_as_the_one_before_it_had_come(log: list[int], ends: list[int]) -> None:
    gaps, position, before = touched(0), 0, 0
    for end in ends:
        position = read(gaps, position, *(offset for offset in log if position <= offset < end), end=end)
        assert position >= before
        before = end
        gaps.doubt(0)
