"""Jobs by the clock, and which of them are overdue: beat or the workers may be gone, or a job may fail each time."""

from backoffice.streams.jobs import Job, job_of, schedules
from backoffice.streams.models import ClockedJob


def read_jobs() -> list[Job]:
    """All that are scheduled and known, by name. One statement."""
    found = ClockedJob.objects.filter(name__in=schedules()).order_by("name")
    return [job_of(job.name, job.succeeded_at, job.known_since) for job in found]
