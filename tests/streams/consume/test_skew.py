"""What a worker can tell of its own clock by what brokers say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backoffice.streams.consume import skew
from backoffice.streams.consume.skew import Skew

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


class Passing:
    """A monotonic clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 50.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Passing:
    found = Passing()
    monkeypatch.setattr(skew, "time", found)
    settings.CLOCK_BEHIND = 30 * SECOND
    return found


def heard(*times: datetime) -> Skew:
    found = Skew()
    for at in times:
        found.hear(int(at.timestamp() * 1_000))
    return found


@pytest.mark.usefixtures("passing")
def test_a_clock_is_behind_by_what_a_broker_is_ahead_if_that_is_more_than_may_be() -> None:
    assert Skew().behind(NOW) == timedelta()
    assert heard(NOW + 30 * SECOND).behind(NOW) == timedelta()
    assert heard(NOW + 31 * SECOND).behind(NOW) == 31 * SECOND
    assert heard(NOW - MINUTE).behind(NOW) == timedelta()


@pytest.mark.usefixtures("passing")
def test_old_messages_and_those_without_a_time_say_nothing() -> None:
    told = heard(NOW + 2 * MINUTE, NOW - 90 * MINUTE)
    told.hear(0)

    assert told.behind(NOW) == 2 * MINUTE


def test_while_nothing_comes_the_time_of_the_brokers_goes_on(passing: Passing) -> None:
    told = heard(NOW + 2 * MINUTE)
    passing.seconds += 10.0

    assert told.behind(NOW + 10 * SECOND) == 2 * MINUTE
    assert told.behind(NOW + 2 * MINUTE) == timedelta()
    assert told.behind(NOW) == 2 * MINUTE + 10 * SECOND


def test_a_broker_whose_clock_was_set_right_is_believed_in_the_end(passing: Passing) -> None:
    told = heard(NOW + 60 * MINUTE)
    passing.seconds += skew.BELIEVED_SECONDS
    told.hear(int((NOW + skew.BELIEVED_SECONDS * SECOND).timestamp() * 1_000))
    assert told.behind(NOW + skew.BELIEVED_SECONDS * SECOND) == 60 * MINUTE

    passing.seconds += 1.0
    told.hear(int((NOW + (skew.BELIEVED_SECONDS + 1.0) * SECOND).timestamp() * 1_000))
    assert told.behind(NOW + (skew.BELIEVED_SECONDS + 1.0) * SECOND) == timedelta()


def test_a_clock_is_ahead_of_brokers_that_took_late_what_came_after_a_moment(passing: Passing, settings: Any) -> None:
    settings.CLOCK_FAST = 30 * SECOND
    found = Skew()
    assert found.ahead(NOW) == timedelta()

    found.hear_of_one_after(passing.seconds - 2.0, int((NOW - MINUTE).timestamp() * 1_000))
    found.hear_of_one_after(passing.seconds, 0)

    assert found.ahead(NOW - 32 * SECOND) == timedelta()
    assert found.ahead(NOW) == 58 * SECOND
    passing.seconds += 10.0
    assert found.ahead(NOW + 10 * SECOND) == 58 * SECOND


def test_of_what_came_to_a_log_it_counts_what_had_not_waited(passing: Passing, settings: Any) -> None:
    settings.CLOCK_FAST = 30 * SECOND
    found = Skew()
    found.hear_of_one_after(passing.seconds, int((NOW - MINUTE).timestamp() * 1_000))

    found.hear_of_one_after(passing.seconds, int(NOW.timestamp() * 1_000))
    found.hear_of_one_after(passing.seconds, int((NOW - MINUTE).timestamp() * 1_000))

    assert found.ahead(NOW) == timedelta()
