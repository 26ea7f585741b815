"""Jobs by the clock, and which of them are overdue: beat or the workers may be gone, or a job may fail each time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from backoffice.streams.jobs import due_after
from backoffice.streams.models import ClockedJob


@dataclass(frozen=True)
class Job:
    """``succeeded_at`` is None before the first time; overdue when it was ``due_at`` longer than ``limit`` ago."""

    name: str
    succeeded_at: datetime | None
    due_at: datetime
    limit: timedelta

    def is_overdue(self, now: datetime) -> bool:
        return now - self.due_at > self.limit


def read_jobs() -> list[Job]:
    """All that are scheduled and known, by name. One statement."""
    schedules = {entry["task"]: entry["schedule"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    limit = timedelta(seconds=settings.JOBS["late"])
    return [
        Job(job.name, job.succeeded_at, due_after(schedules[job.name], job.succeeded_at or job.known_since), limit)
        for job in ClockedJob.objects.filter(name__in=schedules).order_by("name")
    ]
