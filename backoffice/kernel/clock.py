"""Time comes in as an argument, so that every rule about time can be tested."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    return (at - _EPOCH) // _MILLISECOND


def moment_of(since_epoch: int) -> datetime:
    """The moment so many milliseconds after the beginning of 1970, in UTC."""
    return _EPOCH + since_epoch * _MILLISECOND
