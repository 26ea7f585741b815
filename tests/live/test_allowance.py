"""So many at once, so many a second, and what is refused costs nothing."""

import pytest

from backoffice.live.allowance import Allowance


def test_so_many_may_be_taken_at_once_and_then_as_time_goes_by() -> None:
    allowance = Allowance(10, 2.0, now=100.0)

    assert allowance.take(7, 100.0) == 0
    assert allowance.take(3, 100.0) == 0
    assert allowance.take(1, 100.0) == pytest.approx(0.5)
    assert allowance.take(4, 101.0) == pytest.approx(1.0)
    assert allowance.take(2, 101.0) == 0


def test_what_is_not_taken_does_not_grow_without_end() -> None:
    allowance = Allowance(10, 2.0, now=0.0)

    assert allowance.take(10, 1_000.0) == 0
    assert allowance.take(1, 1_000.0) > 0


def test_what_is_refused_takes_nothing() -> None:
    allowance = Allowance(10, 2.0, now=0.0)

    assert allowance.take(11, 0.0) == pytest.approx(0.5)
    assert allowance.take(10, 0.0) == 0
