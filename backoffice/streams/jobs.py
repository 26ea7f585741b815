"""Jobs by the clock. Each leaves when it last did its work, so that one that is not done is missed.

    @clocked("streams.make_partitions")
    def make_partitions() -> None: ...

A job is due as `CELERY_BEAT_SCHEDULE` says, counted from when it last succeeded, or was first known, as Postgres has
the time.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from celery import Task, shared_task
from celery.schedules import crontab, maybe_schedule
from django.apps.registry import Apps
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models.functions import Now

from .models import ClockedJob

log = logging.getLogger(__name__)


class Undone(Exception):  # noqa: N818 - said in words: the next run makes up for it
    """The job could not do its work this time."""


def clocked(name: str) -> Callable[[Callable[[], None]], "Task[[], None]"]:
    """A task that notes that it succeeded, unless it raises `Undone`; tried again while Postgres does not answer."""

    def declare(work: Callable[[], None]) -> "Task[[], None]":
        @wraps(work)
        def job() -> None:
            try:
                work()
            except Undone as reason:
                log.warning("%s is not done: %s", name, reason)
            else:
                done = {"succeeded_at": Now()}
                ClockedJob.objects.update_or_create(
                    name=name, defaults=done, create_defaults=done | {"known_since": Now()}
                )

        tries = settings.JOBS
        return shared_task(
            name=name, autoretry_for=(OperationalError, InterfaceError), max_retries=tries["retries"],
            retry_backoff=tries["first_retry"], retry_backoff_max=tries["longest_retry"],
        )(job)  # fmt: skip

    return declare


def due_after(schedule: Any, since: datetime) -> datetime:
    """When a job of such a schedule (seconds, or Celery's own) is due next after a moment."""
    of_clock: Any = maybe_schedule(schedule)
    if isinstance(of_clock, crontab):
        start, span, _ = of_clock.remaining_delta(since)
        due: datetime = start + span
        return due
    every: timedelta = of_clock.run_every
    return since + every


def note_known(apps: Apps, **_: Any) -> None:
    """After each migration: from now on the scheduled jobs are waited for that were not known before."""
    try:
        jobs = apps.get_model("streams", "ClockedJob")
    except LookupError:
        # Migrated back to before there was such a table.
        return
    names = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    jobs._default_manager.bulk_create(
        [jobs(name=name, known_since=Now()) for name in sorted(names)], ignore_conflicts=True
    )
