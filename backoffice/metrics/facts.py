"""The facts that stand in Postgres, read within a limit of time; what is locked keeps no other from being told."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection

from backoffice.streams.clocks import PostgresClock
from backoffice.streams.tables.partitions import missing_partitions

from .alerts import UnsentAlert, read_alerts
from .asking import Question
from .differences import Differences, read_differences
from .jobs import Job, read_jobs
from .lag import Lag, ask_lag, judged
from .outbox import Outbox, read_outbox
from .progress import TopicProgress, read_topics
from .silence import Source, read_sources


@dataclass(frozen=True)
class Facts:
    """What was read ``at`` a moment; None what could not be in time, for it is locked or Postgres is slow."""

    at: datetime
    topics: list[TopicProgress] | None
    sources: list[Source] | None
    missing_partitions: list[str] | None
    outbox: Outbox | None
    alerts: list[UnsentAlert] | None
    jobs: list[Job] | None
    differences: list[Differences] | None

    @property
    def unread(self) -> list[str]:
        return [name for name in _READERS if getattr(self, name) is None]

    def topics_judged(self, lag: Lag | None) -> tuple[TopicProgress, ...] | None:
        return None if self.topics is None else judged(self.topics, lag)


_READERS: dict[str, Callable[[datetime], Any]] = {
    "topics": lambda _: read_topics(),
    "sources": read_sources,
    "missing_partitions": missing_partitions,
    "outbox": lambda _: read_outbox(),
    "alerts": lambda _: read_alerts(),
    "jobs": lambda _: read_jobs(),
    "differences": lambda _: read_differences(),
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


def read_facts() -> Facts:
    """Raises django.db.Error where Postgres is away."""
    found = dict.fromkeys(_READERS)
    with brief_session():
        now = PostgresClock().now()
        for name, read in _READERS.items():
            try:
                found[name] = read(now)
            except OperationalError:
                if not connection.is_usable():
                    raise
    return Facts(now, **found)


def _lag() -> Lag | None:
    with brief_session():
        return ask_lag(PostgresClock().now())


FACTS: dict[str, Question[Any]] = {"facts": Question("facts", read_facts), "lag": Question("lag", _lag)}
