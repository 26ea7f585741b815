"""When events happen: at a steady pace from a given start, or now."""

from datetime import datetime, timedelta
from typing import Protocol

from backoffice.kernel.clock import Clock, microseconds


class Time(Protocol):
    def after(self, events: int) -> int:
        """When the next event happens, after so many; microseconds since 1970."""


class SteadyTime:
    """One ``step`` for each event. At least a microsecond, so that no two events share a moment."""

    def __init__(self, start: datetime, step: timedelta) -> None:
        self._start = microseconds(start)
        self._step = max(step // timedelta(microseconds=1), 1)

    def after(self, events: int) -> int:
        return self._start + events * self._step


class ClockTime:
    """What a clock shows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def after(self, events: int) -> int:  # noqa: ARG002 - real time passes whether or not events happen
        return microseconds(self._clock.now())
