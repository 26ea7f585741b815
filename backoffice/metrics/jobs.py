"""Jobs by the clock, and which of them are overdue: beat or the workers may be gone, or a job may fail each time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from backoffice.streams.clocks import lies_ahead
from backoffice.streams.jobs import due_after
from backoffice.streams.models import ClockedJob


@dataclass(frozen=True)
class Job:
    """``succeeded_at`` is None before the first time; overdue when it was ``due_at`` longer than ``limit`` ago.

    ``due_at`` is counted from a moment ``since``; where that is still to come, nobody knows when it was last done.
    """

    name: str
    succeeded_at: datetime | None
    since: datetime
    due_at: datetime
    limit: timedelta

    def is_overdue(self, now: datetime) -> bool:
        return lies_ahead(self.since, now) or now - self.due_at > self.limit


def read_jobs() -> list[Job]:
    """All that are scheduled and known, by name. One statement."""
    schedules = {entry["task"]: entry["schedule"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    limit = timedelta(seconds=settings.JOBS["late"])
    found = ClockedJob.objects.filter(name__in=schedules).order_by("name")
    counted = [(job, job.succeeded_at or job.known_since) for job in found]
    return [
        Job(job.name, job.succeeded_at, since, due_after(schedules[job.name], since), limit) for job, since in counted
    ]
