from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.streams.consume.breaker import Breaker


def test_stays_closed_up_to_the_ratio() -> None:
    breaker = Breaker(window=10, ratio=0.2)

    assert breaker.trips_at(10, [3, 7]) is None


def test_trips_with_the_dead_letter_that_is_one_too_many() -> None:
    breaker = Breaker(window=10, ratio=0.2)

    assert breaker.trips_at(10, [0, 4, 9]) == 9


def test_remembers_the_messages_of_earlier_batches() -> None:
    breaker = Breaker(window=10, ratio=0.2)
    breaker.trips_at(5, [3, 4])

    assert breaker.trips_at(5, [1]) == 1


def test_forgets_what_has_left_the_window() -> None:
    breaker = Breaker(window=10, ratio=0.2)
    breaker.trips_at(5, [0, 1])

    assert breaker.trips_at(20, [6, 7]) is None


@pytest.mark.parametrize("ratio", [0.0, 0.05])
def test_a_window_that_allows_none_trips_with_the_first(ratio: float) -> None:
    assert Breaker(window=10, ratio=ratio).trips_at(3, [2]) == 2


@given(
    st.lists(st.lists(st.booleans(), max_size=12), max_size=8),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.1, 0.2, 0.34, 0.5, 0.9]),
)
def test_trips_where_a_count_over_the_window_does(batches: Sequence[Sequence[bool]], window: int, ratio: float) -> None:
    """Told of the messages batch by batch, it finds the very message that a count over all of them finds."""
    breaker = Breaker(window=window, ratio=ratio)
    seen: list[bool] = []
    for batch in batches:
        expected = None
        for place, bad in enumerate(batch):
            seen.append(bad)
            if bad and expected is None and sum(seen[-window:]) > window * ratio:
                expected = place
        found = breaker.trips_at(len(batch), [place for place, bad in enumerate(batch) if bad])
        assert found == expected
        if found is not None:
            return
