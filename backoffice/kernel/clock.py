"""Time comes in as an argument, so that every rule about time can be tested."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class FixedClock:
    """Stands still until it is moved."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment

    def advance(self, by: timedelta) -> None:
        self.moment += by


def milliseconds(at: datetime) -> int:
    """Since 1970, in whole numbers: a float of seconds would name the millisecond before for some moments."""
    return (at - EPOCH) // _MILLISECOND


def microseconds(at: datetime) -> int:
    """Since 1970, exactly."""
    return (at - EPOCH) // MICROSECOND


def at_milliseconds(since_epoch: int) -> datetime:
    """The moment so many milliseconds after the beginning of 1970, in UTC.

    Raises:
        OverflowError: it is in no year that Python has; so does `at_microseconds`.
    """
    return EPOCH + since_epoch * _MILLISECOND


def at_microseconds(since_epoch: int) -> datetime:
    return EPOCH + since_epoch * MICROSECOND
