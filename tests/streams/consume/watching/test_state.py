"""What both threads of a lane say of it."""

import threading
from collections.abc import Iterator, Mapping

from backoffice.streams.consume.watching.state import LaneState

# So long the other thread may try, while it is its turn to wait.
MEANWHILE_SECONDS = 0.2


class SaidMeanwhile(Mapping[int, int]):
    """Offsets; while they are taken over, another thread says something of another partition."""

    def __init__(self, state: LaneState, offsets: dict[int, int], other: dict[int, int]) -> None:
        self._offsets = offsets
        self.thread = threading.Thread(target=state.know, args=(other,))

    def __getitem__(self, partition: int) -> int:
        return self._offsets[partition]

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[int]:
        self.thread.start()
        self.thread.join(MEANWHILE_SECONDS)
        return iter(self._offsets)


def test_what_two_threads_say_at_once_of_different_partitions_is_both_known() -> None:
    state = LaneState()
    said = SaidMeanwhile(state, {0: 5}, {1: 7})

    state.know(said)
    said.thread.join()

    assert state.stored == {0: 5, 1: 7}


def test_what_was_read_of_it_is_not_changed_by_what_is_said_later() -> None:
    state = LaneState()
    state.know({0: 5, 1: 7})
    read = state.stored
    state.lose(0)
    state.lose(3)
    state.know({1: 8})

    assert (read, state.stored) == ({0: 5, 1: 7}, {1: 8})


def test_what_begins_anew_knows_nothing_of_before() -> None:
    state = LaneState()
    state.know({0: 5, 1: 7})
    state.begin({0: 2})

    assert state.stored == {0: 2}
