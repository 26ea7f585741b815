"""A hole in the offsets is believed when it is there twice."""

import numpy as np
from numpy.typing import NDArray

from backoffice.streams.gaps import Gaps


def offsets(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def test_messages_one_after_another_are_trusted_at_once() -> None:
    assert Gaps().trusted(0, 5, offsets(5, 6, 7))


def test_what_the_client_skipped_is_read_again_and_then_there() -> None:
    gaps = Gaps()

    assert not gaps.trusted(0, 5, offsets(5, 8))
    assert gaps.trusted(0, 5, offsets(5, 6, 7, 8))


def test_a_hole_of_the_log_is_believed_the_second_time() -> None:
    gaps = Gaps()

    assert not gaps.trusted(0, 5, offsets(7, 8))
    assert gaps.trusted(0, 5, offsets(7, 8))


def test_a_hole_is_known_for_its_own_partition_only() -> None:
    gaps = Gaps()
    gaps.trusted(0, 5, offsets(7))

    assert not gaps.trusted(1, 5, offsets(7))


def test_another_hole_is_not_believed_for_the_sake_of_the_first() -> None:
    gaps = Gaps()
    gaps.trusted(0, 5, offsets(7, 8, 9))

    assert not gaps.trusted(0, 5, offsets(7, 9))


def test_a_message_twice_is_never_trusted() -> None:
    gaps = Gaps()

    assert not gaps.trusted(0, 5, offsets(5, 5, 6))
    assert not gaps.trusted(0, 5, offsets(5, 5, 6))
