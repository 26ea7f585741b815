from datetime import UTC, datetime, timedelta

from backoffice.kernel.clock import FixedClock, SystemClock


def test_the_systems_clock_is_in_utc_and_goes_on() -> None:
    one, other = SystemClock().now(), SystemClock().now()

    assert one.tzinfo is UTC
    assert one <= other


def test_a_fixed_clock_stands_until_it_is_moved() -> None:
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    before = (clock.now(), clock.now())

    clock.advance(timedelta(minutes=5))

    assert before == (datetime(2026, 1, 1, tzinfo=UTC),) * 2
    assert clock.now() == datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
