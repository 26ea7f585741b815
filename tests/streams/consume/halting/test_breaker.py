from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.streams.consume.halting.breaker import Breaker


def breaker(window: int = 10, ratio: float = 0.2, minimum: int = 1) -> Breaker:
    return Breaker(window=window, ratio=ratio, minimum=minimum)


def full(**limits: float) -> Breaker:
    """One whose window is full of good messages."""
    found = breaker(**limits)  # type: ignore[arg-type]
    found.count(10)
    return found


def test_stays_closed_up_to_the_ratio() -> None:
    assert full().trips_at([3, 7]) is None


def test_trips_with_the_bad_one_that_is_one_too_many() -> None:
    assert full().trips_at([0, 4, 9]) == 9


def test_looking_does_not_count() -> None:
    looked = full()

    assert looked.trips_at([0, 1, 2]) == 2
    assert looked.trips_at([0, 1]) is None


def test_remembers_the_messages_of_earlier_batches() -> None:
    later = full()
    later.count(5, [3, 4])

    assert later.trips_at([1]) == 1


def test_forgets_what_has_left_the_window() -> None:
    later = full()
    later.count(5, [0, 1])
    later.count(6)

    assert later.trips_at([6, 7]) is None
    assert later.bad == 1


def test_healthy_messages_count_in_batches_of_one() -> None:
    """One bad in five hundred, each message a batch of its own, for a long time."""
    quiet = breaker(window=250, ratio=0.2, minimum=10)

    for number in range(20_000):
        bad = [0] if number % 500 == 0 else []
        assert quiet.trips_at(bad) is None
        quiet.count(1, bad)
        assert not quiet.is_tripped


def test_few_messages_are_judged_by_the_minimum_and_not_by_a_full_window() -> None:
    fresh = breaker(window=250, ratio=0.2, minimum=10)
    fresh.count(3, [1])

    assert not fresh.is_tripped
    assert fresh.trips_at(range(50)) == 8


def test_a_ratio_of_nothing_trips_with_the_first() -> None:
    assert breaker(ratio=0.0).trips_at([2]) == 2


def test_the_first_message_is_the_only_one_that_counts_until_there_is_another() -> None:
    assert breaker(ratio=0.5).trips_at([0]) == 0
    assert breaker(ratio=0.5).trips_at([1]) is None


def test_is_calm_when_the_bad_are_less_than_half_of_what_trips_it() -> None:
    troubled = full()
    troubled.count(3, [0, 1, 2])
    assert troubled.is_tripped
    assert not troubled.is_calm

    troubled.count(8)
    assert not troubled.is_calm

    troubled.count(1)
    assert troubled.is_calm


@given(
    st.lists(st.lists(st.booleans(), max_size=12), max_size=8),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.1, 0.2, 0.34, 0.5, 0.9]),
    st.integers(1, 6),
)
@pytest.mark.parametrize("looks", [True, False])
def test_trips_where_a_count_over_the_window_does(
    looks: bool, batches: Sequence[Sequence[bool]], window: int, ratio: float, minimum: int
) -> None:
    """Told of the messages batch by batch, it finds the very message that a count over all of them finds."""
    found = breaker(window, ratio, minimum)
    seen: list[bool] = []
    for batch in batches:
        expected = None
        for place, bad in enumerate(batch):
            seen.append(bad)
            among = seen[-window:]
            if bad and expected is None and sum(among) >= minimum and sum(among) > len(among) * ratio:
                expected = place
        places = [place for place, bad in enumerate(batch) if bad]
        if looks:
            assert found.trips_at(places) == expected
        found.count(len(batch), places)
        assert found.is_tripped == (
            sum(seen[-window:]) >= minimum and sum(seen[-window:]) > len(seen[-window:]) * ratio
        )
