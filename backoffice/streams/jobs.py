"""Jobs by the clock. Each leaves when it last did its work, so that one that is not done is missed.

    @clocked("streams.make_partitions")
    def make_partitions() -> None: ...

A job is due as `CELERY_BEAT_SCHEDULE` says, counted from when it last succeeded, or was first known, as Postgres has
the time. It runs once at a time, whatever worker has it, waits for no lock for ever, and holds none when it is frozen.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from celery import Task, current_task, shared_task
from celery.schedules import crontab, maybe_schedule
from django.apps.registry import Apps
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from backoffice.kernel.errors import Retryable
from backoffice.kernel.locks import BY_HAND, JOB

from . import turns
from .clocks import PostgresClock, lies_ahead
from .collation import unfit_here
from .database import Connection, passes
from .models import ClockedJob

log = logging.getLogger(__name__)

# Those that this process is at, and since when: Postgres need not answer for the second to know of the first.
_running: dict[str, datetime] = {}
_lock = threading.Lock()


class Undone(Exception):  # noqa: N818 - said in words: the next run makes up for it
    """The job could not do its work this time."""


class Elsewhere(Exception):  # noqa: N818 - not an error: another run does the work
    """The job is at work already."""


@dataclass(frozen=True)
class Job:
    """``succeeded_at`` is None before the first time; overdue when it was ``due_at`` longer than ``limit`` ago.

    ``due_at`` is counted from a moment ``since``; where that is still to come, nobody knows when it was last done.
    ``by_hand`` says who does its work just now in its stead.
    """

    name: str
    succeeded_at: datetime | None
    since: datetime
    due_at: datetime
    limit: timedelta
    by_hand: str = ""

    def is_overdue(self, now: datetime) -> bool:
        return lies_ahead(self.since, now) or now - self.due_at > self.limit


def by_hand(connection: Connection, name: str) -> str:
    """Who does the work of a job in its stead just now, in words; empty where nobody does, or it is at work itself."""
    if name not in BY_HAND or turns.holder(connection, JOB, name):
        return ""
    return turns.holder_of(connection, BY_HAND[name])


def clocked(name: str) -> Callable[[Callable[[], None]], "Task[[], None]"]:
    """A task that notes that it succeeded, unless it raises `Undone`.

    Where Postgres does not answer, or a lock is in the way, it is tried again, or left to the next run if that comes
    as soon.
    """

    def declare(work: Callable[[], None]) -> "Task[[], None]":
        @wraps(work)
        def job() -> None:
            try:
                with _in_this_process(name), _session(name):
                    if not _is_spare(name):
                        began_at = PostgresClock().now()
                        work()
                        _note_success(name, began_at)
            except Elsewhere as told:
                log.info("%s is not begun: it is at work in %s", name, told)
            except Undone as reason:
                log.warning("%s is not done: %s", name, reason)
            except Exception as error:
                if not passes(error):
                    raise
                _try_again(name, error)

        tries = settings.JOBS
        return shared_task(
            name=name, autoretry_for=(Retryable,), max_retries=tries["retries"],
            retry_backoff=tries["first_retry"], retry_backoff_max=tries["longest_retry"],
        )(job)  # fmt: skip

    return declare


@contextmanager
def _in_this_process(name: str) -> Iterator[None]:
    with _lock:
        if name in _running:
            raise Elsewhere(f"this process since {_running[name]:%Y-%m-%d %H:%M:%S} UTC")
        _running[name] = datetime.now(UTC)
    try:
        yield
    finally:
        with _lock:
            del _running[name]


@contextmanager
def _session(name: str) -> Iterator[None]:
    """This thread's session with Postgres is the job's, with its turn and its bounds, and is closed behind it."""
    try:
        with connection.cursor() as cursor:
            for setting, value in _bounds(name).items():
                cursor.execute("SELECT set_config(%s, %s, false)", [setting, value])
        if not turns.take(connection.connection, JOB, name):
            raise Elsewhere(turns.holder(connection.connection, JOB, name) or "one that has just ended")
        if why := unfit_here():
            raise Undone(why)
        yield
    finally:
        connection.close()


def _bounds(name: str) -> dict[str, str]:
    """What holds for the session of a job. One that runs often waits, and keeps its turn while it is frozen, for less
    than one that has an hour.
    """
    every, limits = _every(name), settings.JOBS
    silent = min(settings.DATABASE_SILENT, 2 * every)
    found = {
        "lock_timeout": min(limits["lock"], every / 2),
        "statement_timeout": limits["statement"],
        "idle_session_timeout": silent,
        "idle_in_transaction_session_timeout": silent,
    }
    named = (
        {} if "application_name" in connection.settings_dict["OPTIONS"] else {"application_name": session_name(name)}
    )
    return {setting: f"{1_000 * seconds:.0f}" for setting, seconds in found.items()} | named


def session_name(name: str) -> str:
    """What the session of a job is called, unless DATABASE_URL names all sessions."""
    return f"pitboss job {name}"


def _is_spare(name: str) -> bool:
    """Whether beat has sent it so long ago that it comes right behind another run, and would find no more than that.

    Judged by when that run began, for one that takes long ends when the next is due; and by Postgres' clock alone.
    (What Celery lets expire is dated by beat's clock and judged by the worker's: one that is ahead would drop every job
    without a word.)
    """
    if not current_task or current_task.request.called_directly or current_task.request.is_eager:
        return False
    now, every = Now(), timedelta(seconds=_every(name))
    return ClockedJob.objects.filter(name=name, began_at__gt=now - every / 2, began_at__lte=now).exists()


def _note_success(name: str, began_at: datetime) -> None:
    done = {"began_at": began_at, "succeeded_at": Now()}
    ClockedJob.objects.update_or_create(name=name, defaults=done, create_defaults=done | {"known_since": Now()})


def _try_again(name: str, error: Exception) -> None:
    why = " ".join(str(error).split())
    if _every(name) <= settings.JOBS["longest_retry"]:
        log.warning("%s is not done; the next run makes up for it: %s", name, why)
        return
    raise Retryable(why) from error


def schedules() -> dict[str, Any]:
    """When each job is due, by its name: every so many seconds, or as Celery's own schedules say."""
    return {entry["task"]: entry["schedule"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}


def _every(name: str) -> float:
    """Seconds between two runs; an hour at the most, and where it is not known."""
    of_clock: Any = maybe_schedule(schedules().get(name, _HOUR))
    return _HOUR if isinstance(of_clock, crontab) else min(_HOUR, of_clock.run_every.total_seconds())


_HOUR = 3_600.0


def due_after(schedule: Any, since: datetime) -> datetime:
    """When a job of such a schedule (seconds, or Celery's own) is due next after a moment."""
    of_clock: Any = maybe_schedule(schedule)
    if isinstance(of_clock, crontab):
        start, span, _ = of_clock.remaining_delta(since)
        due: datetime = start + span
        return due
    every: timedelta = of_clock.run_every
    return since + every


def job_of(name: str, succeeded_at: datetime | None, known_since: datetime) -> Job:
    """A job that is scheduled."""
    since = succeeded_at or known_since
    return Job(name, succeeded_at, since, due_after(schedules()[name], since), _limit(name))


def _limit(name: str) -> timedelta:
    """One that runs often is late after a few runs, and each after ``JOB_LATE_AFTER``."""
    return timedelta(seconds=min(settings.JOBS["late"], settings.JOBS["late_runs"] * _every(name)))


def judged_after(name: str) -> timedelta:
    """For how long a worker has to be up, and Postgres to answer it, before it can say that the job is not done.

    After an outage, of Postgres too, or an upgrade all jobs are late, and beat sends them as it begins. Not for longer
    than an hour and the limit: workers may be started anew more often than a job is due.
    """
    return timedelta(seconds=_every(name)) + _limit(name)


def note_known(apps: Apps, **_: Any) -> None:
    """After each migration: from now on the scheduled jobs are waited for that were not known before."""
    try:
        jobs = apps.get_model("streams", "ClockedJob")
    except LookupError:
        # Migrated back to before there was such a table.
        return
    jobs._default_manager.bulk_create(
        [jobs(name=name, known_since=Now()) for name in sorted(schedules())], ignore_conflicts=True
    )
