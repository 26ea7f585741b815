"""Jobs by the clock, and which of them are overdue: beat or the workers may be gone, or a job may fail each time."""

from dataclasses import replace

from django.db import connection

from backoffice.kernel.locks import BY_HAND
from backoffice.streams import turns
from backoffice.streams.jobs import Job, job_of, schedules
from backoffice.streams.models import ClockedJob


def read_jobs() -> list[Job]:
    """All that are scheduled and known, by name. One statement, and one for each that people do by hand, too."""
    found = ClockedJob.objects.filter(name__in=schedules()).order_by("name")
    return [_with_hands(job_of(job.name, job.succeeded_at, job.known_since)) for job in found]


def _with_hands(job: Job) -> Job:
    if job.name not in BY_HAND:
        return job
    with connection.wrap_database_errors:
        return replace(job, by_hand=turns.holder_of(connection.connection, BY_HAND[job.name]))
