"""When messages are due, by a clock that moves only when somebody waits or works."""

import math
from threading import Event as Signal

import pytest

from trading.feeds.pacing import Pace

FIRST = 1_657_539_000_000
DAY = 24 * 3_600_000


class Clockwork:
    def __init__(self) -> None:
        self.seconds = 100.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.seconds

    def wait(self, _stop: Signal, seconds: float) -> None:
        assert seconds > 0
        self.waits.append(seconds)
        self.seconds += seconds

    def pace(self, speed: float) -> Pace:
        return Pace(speed, now=self.now, wait=self.wait)


def due(speed: float, *at: int, work: float = 0.0) -> list[float]:
    """At how many seconds after the first each message is sent; sending takes ``work``."""
    clock = Clockwork()
    pace, found = clock.pace(speed), []
    for moment in at:
        assert pace.wait(FIRST + moment, Signal())
        found.append(round(clock.seconds - 100, 6))
        clock.seconds += work
    return found


def test_at_one_it_is_in_step_with_the_recording() -> None:
    assert due(1, 0, 396, 1_000, 61_000) == [0, 0.396, 1, 61]


@pytest.mark.parametrize(("speed", "expected"), [(0.5, [0, 2, 122]), (60, [0, 1 / 60, 61 / 60])])
def test_any_factor(speed: float, expected: list[float]) -> None:
    assert due(speed, 0, 1_000, 61_000) == pytest.approx(expected, abs=1e-5)


def test_at_most_speed_nothing_waits() -> None:
    assert due(math.inf, 0, 1_000, 61_000) == [0, 0, 0]


def test_what_is_late_is_sent_at_once_and_the_next_is_in_step_again() -> None:
    assert due(1, 0, 100, 200, 5_000, work=0.5) == [0, 0.5, 1, 5]


def test_errors_do_not_add_up() -> None:
    """Each is due by the first message, not by the one before."""
    assert due(1, *range(0, 100_000, 7))[-1] == pytest.approx(99.995)


def test_messages_of_the_same_moment_and_earlier_ones_are_due_at_once() -> None:
    assert due(1, 0, 1_000, 1_000, 900, 2_000) == [0, 1, 1, 1, 2]


@pytest.mark.parametrize("leap", [366 * DAY, -366 * DAY])
def test_a_leap_of_the_recordings_clock_is_not_waited_for(leap: int) -> None:
    assert due(1, 0, 1_000, leap, leap + 500, 1_500, 2_000) == [0, 1, 1, 1.5, 1.5, 2]


def test_a_quiet_night_is_waited_for() -> None:
    assert due(1, 0, DAY // 2) == [0, DAY / 2_000]


def test_it_serves_while_it_waits() -> None:
    clock, served = Clockwork(), []

    clock.pace(1).wait(FIRST, Signal())
    pace = clock.pace(1)
    pace.wait(FIRST, Signal())
    pace.wait(FIRST + 10_000, Signal(), lambda: served.append(clock.seconds))

    assert served == [100, 101, 102, 103, 104, 105, 106, 107, 108, 109]


@pytest.mark.parametrize("speed", [1, math.inf])
def test_it_ends_when_stopped(speed: float) -> None:
    clock, stop = Clockwork(), Signal()
    pace = clock.pace(speed)
    assert pace.wait(FIRST, stop)

    stop.set()

    assert not pace.wait(FIRST + 5_000, stop)
    assert clock.waits == []


def test_a_speed_is_above_zero() -> None:
    with pytest.raises(ValueError, match="speed"):
        Pace(0)
