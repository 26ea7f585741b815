"""Jobs by the clock, and which of them are overdue: beat or the workers may be gone, or a job may fail each time."""

from dataclasses import replace

from django.db import connection

from backoffice.streams.jobs import Job, by_hand, job_of, schedules
from backoffice.streams.models import ClockedJob


def read_jobs() -> list[Job]:
    """All that are scheduled and known, by name. One statement, and two for each that people do by hand, too."""
    found = ClockedJob.objects.filter(name__in=schedules()).order_by("name")
    jobs = [job_of(job.name, job.succeeded_at, job.known_since) for job in found]
    with connection.wrap_database_errors:
        return [replace(job, by_hand=by_hand(connection.connection, job.name)) for job in jobs]
