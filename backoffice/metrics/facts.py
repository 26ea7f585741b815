"""The facts that stand in Postgres, read within a limit of time; what cannot be read keeps no other from being told."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import Error, connection

from backoffice.kernel.asking import Question
from backoffice.streams.clocks import PostgresClock
from backoffice.streams.jobs import Job
from backoffice.streams.tables.partitions import missing_partitions

from .alerts import UnsentAlert, read_alerts
from .differences import Differences, read_differences
from .hidden import look_here, read_hidden
from .jobs import read_jobs
from .lag import Lag, ask_lag, judged
from .outbox import Outbox, read_outbox
from .progress import TopicProgress, read_topics
from .silence import Source, read_sources


@dataclass(frozen=True)
class Facts:
    """What was read ``at`` a moment; None what could not be in time, for it is locked, Postgres is slow, or its tables
    are not there yet, or no more: a web process may be older or newer than the database.
    """

    at: datetime
    topics: list[TopicProgress] | None
    sources: list[Source] | None
    missing_partitions: list[str] | None
    outbox: Outbox | None
    alerts: list[UnsentAlert] | None
    jobs: list[Job] | None
    differences: list[Differences] | None
    hidden_metrics: list[str] | None

    @property
    def unread(self) -> list[str]:
        return [name for name in _READERS if getattr(self, name) is None]

    def topics_judged(self, lag: Lag | None) -> tuple[TopicProgress, ...] | None:
        return None if self.topics is None else judged(self.topics, lag)


# Why, where one is not read.
UNREAD = "Postgres did not say in time; a table may be locked, or wait for `migrate`"

Reader = Callable[[datetime], Any]

_READERS: dict[str, Reader] = {
    "topics": lambda _: read_topics(),
    "sources": read_sources,
    "missing_partitions": missing_partitions,
    "outbox": lambda _: read_outbox(),
    "alerts": lambda _: read_alerts(),
    "jobs": lambda _: read_jobs(),
    "differences": lambda _: read_differences(),
    "hidden_metrics": lambda _: read_hidden(),
}


@contextmanager
def brief_session() -> Iterator[None]:
    """A session of this thread's that waits for no lock for long, and for all of its statements no longer than a limit.

    Raises django.db.Error where Postgres takes none.
    """
    until = time.monotonic() + settings.HEALTH["read"]

    def in_time(execute: Callable[..., Any], statement: str, parameters: Any, many: bool, context: Any) -> Any:
        left = max(1, int(1_000 * (until - time.monotonic())))
        with connection.wrap_database_errors:
            connection.connection.execute(f"SET statement_timeout = {left}")
        return execute(statement, parameters, many, context)

    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{1_000 * settings.HEALTH['lock']:.0f}"])
        with connection.execute_wrapper(in_time):
            yield
    finally:
        connection.close()


def read_each(readers: Mapping[str, Reader], now: datetime) -> dict[str, Any]:
    """What each says; None where one fails and the session goes on. Raises django.db.Error where that does not."""
    found = dict.fromkeys(readers)
    for name, read in readers.items():
        try:
            found[name] = read(now)
        except Error:
            if not connection.is_usable():
                raise
    return found


def read_facts() -> Facts:
    """Raises django.db.Error where Postgres is away."""
    with brief_session():
        now = PostgresClock().now()
        return Facts(now, **read_each(_READERS, now))


def read_lag() -> Lag | None:
    """None while Kafka does not answer. Raises django.db.Error where Postgres does not, or not in time."""
    with brief_session():
        return ask_lag(PostgresClock().now())


FACTS: dict[str, Question[Any]] = {
    "facts": Question("facts", read_facts),
    "lag": Question("lag", read_lag),
    "here": Question("here", look_here),
}
