"""One reconciliation of Kafka with Postgres, up to the stored offsets, while the workers go on."""

import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from confluent_kafka import KafkaException
from django.conf import settings
from django.db import connection

from backoffice.contracts.catalogue import TOPICS
from backoffice.kernel import locks
from backoffice.kernel.clock import Clock
from backoffice.kernel.errors import Retryable
from backoffice.streams.database import passes

from ..books import BY_THE_CLOCK
from ..declared import descriptions
from ..findings import Findings
from ..known import known_gaps
from ..messages.log import Log
from ..models import Run
from ..positions import positions
from ..telling import standing
from .beside import beside
from .circle import of_messages
from .full import in_full
from .plan import STEP, Plan
from .running import Running, Say, silent
from .transactions import Pulse
from .walks import go_on

# The class of SQLSTATE: two transactions would have changed the same, or waited for one another.
_CONFLICTS = "40"


class Busy(Exception):  # noqa: N818 - not an error: another run does the work
    """Another reconciliation is under way."""


@dataclass(frozen=True)
class Report:
    """``named`` are findings that are no differences: what somebody ought to see, and what is known already. ``counts``
    says how many of each kind were found and are listed; ``standing`` how many stand open by now, whichever run found
    them.

    ``clean`` is None where nothing differs and something could not be read, or a difference that stands open could not
    be judged: nobody can tell then.
    """

    clean: bool | None
    full: bool
    checked: dict[str, int]
    seconds: float
    total: int
    differences: list[dict[str, Any]]
    named: list[dict[str, Any]] = field(default_factory=list)
    counts: list[dict[str, Any]] = field(default_factory=list)
    standing: dict[str, int] = field(default_factory=dict)

    def line(self) -> str:
        """All of it as JSON."""
        told = self._figures()
        if self.clean is False:
            told["differences"] = self.differences
        if self.named:
            told["named"] = self.named
        return json.dumps(told, default=str)

    def brief(self) -> str:
        """The same without what was found: for a log, in which a line has to stay short."""
        return json.dumps(self._figures(), default=str)

    def _figures(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "clean": self.clean,
            "full": self.full,
            "checked": self.checked,
            "seconds": self.seconds,
        }
        if self.standing:
            told["open"] = self.standing
        if self.counts:
            told["counts"] = self.counts
        if self.clean is False:
            told["total"] = self.total
        return told


def reconcile(
    *, full: bool, clock: Clock, step: int = STEP, alone_up_to: float = math.inf, anew: bool = False, say: Say = silent
) -> Report:
    """Compare, and keep what was found. ``step`` is how many messages go into one transaction.

    In full it goes on with a run that was broken off, unless it is to begin ``anew``; ``say`` gets a line for each
    finding, at once, and for the progress. Else, where more than ``alone_up_to`` messages are new, a process beside
    this one takes the topic of the ledger, which is as much work as all others together.

    Raises:
        Busy: another run of the kind is under way.
        Retryable: Kafka, Postgres or the registry is away; what steps before that found is kept and told.
    """
    began = time.monotonic()
    with _in_words(), _alone(locks.RECONCILE_OF_EVERYTHING if full else locks.RECONCILE_BY_THE_CLOCK):
        if full:
            run = in_full(clock, step, anew=anew, say=say)
        elif _news() > alone_up_to:
            run = _in_two(clock, step)
        else:
            run = _by_the_clock(clock, step)
    seconds = round(time.monotonic() - began, 3)
    clean = False if run.total else run.is_clean or None
    found = standing()
    stands = {"differences": found.differences.count, "warnings": found.warnings.count} if found.is_any else {}
    return Report(
        clean, run.full, run.checked, seconds, run.total, run.differences, run.named, run.counts, stands
    )  # fmt: skip


def _by_the_clock(clock: Clock, step: int) -> Run:
    run, since_last = _begun(clock)
    with _log() as log:
        running = Running(log, clock, run, BY_THE_CLOCK)
        _through(running, since_last, step, clock)
        running.end()
    return run


def _begun(clock: Clock) -> tuple[Run, timedelta]:
    """A new run, and how long ago the last one was."""
    now = clock.now()
    return Run(started_at=now, full=False), _since_last(now)


def _since_last(now: datetime) -> timedelta:
    """As long as between any two, where the last one is said to have begun at a time that is still to come."""
    last = Run.objects.filter(full=False).order_by("-pk").first()
    if last is None:
        return timedelta()
    return of_messages().every if last.started_at > now else now - last.started_at


def _through(running: Running, since_last: timedelta, step: int, clock: Clock) -> None:
    # What is read beside what is new, and the next run, are not to wait for a race that may last for hours.
    until = time.monotonic() + of_messages().every.total_seconds()
    plan = Plan(step, may_go_on=lambda: time.monotonic() < until)
    while not plan.is_done:
        running.read_new(plan, partial(go_on, books=BY_THE_CLOCK, now=clock.now()))
    running.read_again(since_last, step)
    running.read_open_again()
    running.read_rests(step)


def _news() -> int:
    """How many messages no run has checked yet."""
    with _log() as log, connection.cursor() as cursor:
        read = positions(cursor, log, BY_THE_CLOCK, known_gaps(cursor))
        return sum(position.end - position.start for position in read)


def _in_two(clock: Clock, step: int) -> Run:
    """The run, with a process of its own for the topics of the ledger."""
    run, since_last = _begun(clock)
    ledger = frozenset(book.topic for said in descriptions() for book in said.books if book.target)

    with beside(partial(_share, clock, run, ledger, since_last, step)) as result, _log() as log:
        running = Running(log, clock, run, BY_THE_CLOCK, topics=frozenset(TOPICS) - ledger, is_beside=True)
        _through(running, since_last, step, clock)
        running.take_in(*result())
        running.end()
    return run


def _share(
    clock: Clock, run: Run, topics: frozenset[str], since_last: timedelta, step: int
) -> tuple[Findings, Counter[str]]:
    with _in_words(), _log() as log:
        share = Running(log, clock, run, BY_THE_CLOCK, topics=topics, is_beside=True, keeps_run=False)
        _through(share, since_last, step, clock)
        return share.findings, share.checked


def _log() -> Log:
    return Log(settings.KAFKA, settings.KAFKA_TOPIC_PREFIX, Pulse())


@contextmanager
def _alone(number: int) -> Iterator[None]:
    """Hold the lock of reconciliation, outside the transaction: its snapshot must follow the last run's commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        if not cursor.fetchone()[0]:
            raise Busy("Another reconciliation is under way; its report follows.")
    try:
        yield
    finally:
        # A connection that broke has given the lock back by itself.
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [number])


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise Retryable(f"Kafka is away: {error.args[0].str()}") from error
    except Exception as error:
        if not passes(error):
            raise
        why = "Others have changed the same" if _is_conflict(error) else "Postgres is away"
        raise Retryable(f"{why}: {_first_line(error)}") from error


def _is_conflict(error: Exception) -> bool:
    """Whether Postgres took the transaction back for what others did at the same time."""
    code = getattr(error.__cause__ or error, "sqlstate", None)
    return str(code).startswith(_CONFLICTS)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
