"""A hole in the offsets is believed when it is there twice."""

import numpy as np
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


def test_messages_one_after_another_are_trusted_at_once() -> None:
    assert touched(0).trusted(0, 5, offsets(5, 6, 7))


def test_a_hole_in_a_partition_that_nobody_touched_is_one_of_the_log() -> None:
    assert Gaps().trusted(0, 5, offsets(5, 8))


def test_what_the_client_skipped_is_read_again_and_then_there() -> None:
    gaps = touched(0)

    assert not gaps.trusted(0, 5, offsets(5, 8))
    assert gaps.trusted(0, 5, offsets(5, 6, 7, 8))


def test_a_hole_of_the_log_is_believed_the_second_time() -> None:
    gaps = touched(0)

    assert not gaps.trusted(0, 5, offsets(7, 8))
    assert gaps.trusted(0, 5, offsets(7, 8))


def test_doubt_ends_with_the_first_reading_that_is_trusted() -> None:
    gaps = touched(0)
    gaps.trusted(0, 5, offsets(5, 6))

    assert gaps.trusted(0, 7, offsets(7, 9))


def test_doubt_is_of_one_partition_only() -> None:
    gaps = touched(0, 1)
    gaps.trusted(0, 5, offsets(7))

    assert not gaps.trusted(1, 5, offsets(7))
    assert gaps.trusted(2, 5, offsets(7))


def test_another_hole_is_not_believed_for_the_sake_of_the_first() -> None:
    gaps = touched(0)
    gaps.trusted(0, 5, offsets(7, 8, 9))

    assert not gaps.trusted(0, 5, offsets(7, 9))


def test_a_message_twice_is_never_trusted() -> None:
    gaps = Gaps()

    assert not gaps.trusted(0, 5, offsets(5, 5, 6))
    assert not gaps.trusted(0, 5, offsets(5, 5, 6))


def test_a_hole_behind_a_message_that_came_twice_is_not_believed_at_once() -> None:
    gaps = Gaps()
    gaps.trusted(0, 5, offsets(5, 5, 6))

    assert not gaps.trusted(0, 5, offsets(5, 6, 8))
    assert gaps.trusted(0, 5, offsets(5, 6, 8))
