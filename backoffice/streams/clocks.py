"""By which clock we date what is stored. Many processes write moments and hold them against each other: the clock of a
machine may be ahead for a while, and what it dated would lie in the future long after it was set right.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from backoffice.kernel.clock import SystemClock

ASK = "SELECT clock_timestamp()"


class PostgresClock:
    """Asks Postgres with each look, in Django's session: for jobs, commands and those who judge what is stored."""

    def now(self) -> datetime:
        """Raises django.db.Error while Postgres is away."""
        with connection.cursor() as cursor:
            cursor.execute(ASK)
            found: datetime = cursor.fetchone()[0]
            return found


class Heard:
    """The time that Postgres has told this process; between two answers it goes on by our monotonic clock."""

    def __init__(self) -> None:
        self._told: tuple[datetime, float] | None = None

    def hear(self, told: datetime, asked: float) -> None:
        """Postgres says that it is ``told``; it was asked at this monotonic time (seconds)."""
        self._told = told, asked

    def latest(self) -> datetime | None:
        """Postgres' clock says this at the latest (an answer takes its time); None before it has said anything."""
        if self._told is None:
            return None
        told, asked = self._told
        return told + timedelta(seconds=time.monotonic() - asked)


# One for the process: whoever opens a session of the streams hears what time it is there.
POSTGRES = Heard()


@dataclass(frozen=True)
class WorkersClock:
    """The clock of this machine, and Postgres' wherever ours is ahead of it.

    It does not wait for Postgres. One that is behind stays as it is (`Skew.behind`).
    """

    heard: Heard = POSTGRES

    def now(self) -> datetime:
        own, latest = SystemClock().now(), self.heard.latest()
        return own if latest is None else min(own, latest)


def lies_ahead(at: datetime, now: datetime) -> bool:
    """Whether a stored moment is still to come: then it is wrong, and no sign that anything was done of late.

    Clocks that are right are apart by less than ``CLOCK_FAST_SECONDS``.
    """
    return at > furthest(now)


def furthest(now: datetime) -> datetime:
    """What is later than this lies ahead: whatever was dated by then, by a clock that is right, says no more."""
    fast: timedelta = settings.CLOCK_FAST
    return now + fast


def ahead_of_postgres(now: datetime, heard: Heard = POSTGRES) -> timedelta:
    """What our own clock, which says ``now``, has too much; nothing where that may be."""
    latest = heard.latest()
    return now - latest if latest is not None and lies_ahead(now, latest) else timedelta()
