"""The state of the platform at one moment, as a person asks for it first: what moves, what waits, what is wrong."""

from collections import Counter
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Sum

from backoffice.streams.tables.partitions import missing_partitions

from .alerts import UnsentAlert, read_alerts
from .differences import Differences, read_differences
from .figures import FIGURES, read_figures
from .jobs import Job, read_jobs
from .lag import ask_lag, judged
from .models import Window
from .outbox import Outbox, read_outbox
from .progress import StreamTopic, TopicProgress, read_topics
from .silence import Source, read_sources


@dataclass(frozen=True)
class Health:
    """How the platform is.

    ``events_per_second`` is of the last full minute. ``lag_by_topic`` counts messages, and is None where Kafka does not
    answer. ``as_of`` says for each number of when it is: the moment of asking for what is read as it stands, and the
    newest event in it for a figure (of the topic that is furthest behind, where several make it); None where there is
    no event yet.
    """

    at: datetime
    topics: tuple[TopicProgress, ...]
    lag_by_topic: dict[StreamTopic, int] | None
    sources: tuple[Source, ...]
    events_per_second: float
    missing_partitions: tuple[str, ...]
    outbox: Outbox
    unsent_alerts: tuple[UnsentAlert, ...]
    jobs: tuple[Job, ...]
    differences: tuple[Differences, ...]
    as_of: dict[str, datetime | None]

    @property
    def lag(self) -> dict[str, int]:
        """Messages that wait, for each stream; empty where Kafka does not answer."""
        waiting = Counter({stream: 0 for stream, _ in self.lag_by_topic or {}})
        for (stream, _), count in (self.lag_by_topic or {}).items():
            waiting[stream] += count
        return dict(sorted(waiting.items()))

    @property
    def dead_letters(self) -> int:
        return sum(topic.dead_letters for topic in self.topics)

    @property
    def halted(self) -> list[str]:
        return [
            f"{progress.stream}: {progress.topic}[{number}]" for progress in self.topics for number in progress.halted
        ]

    @property
    def diverted(self) -> list[str]:
        return [f"{progress.stream}: {progress.topic}" for progress in self.topics if progress.diverted]

    @property
    def overdue(self) -> list[str]:
        return [job.name for job in self.jobs if job.is_overdue(self.at)]

    @property
    def stalled(self) -> list[str]:
        return [progress.standing for progress in self.topics if progress.stalled]


@dataclass(frozen=True)
class Status(Health):
    """The same with the operator's figures, each under its name."""

    figures: dict[str, Any]


def read_health(now: datetime) -> Health:
    """Raises django.db.Error when Postgres is away; while Kafka is, all but the lag is read."""
    lag = ask_lag(now)
    topics = judged(read_topics(), lag)
    return Health(
        at=now,
        topics=topics,
        lag_by_topic=None if lag is None else lag.waiting,
        sources=tuple(read_sources(now)),
        events_per_second=_events_in_minute(now) / 60,
        missing_partitions=tuple(missing_partitions(now)),
        outbox=read_outbox(),
        unsent_alerts=tuple(read_alerts()),
        jobs=tuple(read_jobs()),
        differences=tuple(read_differences()),
        as_of=_as_of(now, topics),
    )


def read_status(now: datetime) -> Status:
    """Raises django.db.Error as `read_health`."""
    health = read_health(now)
    return Status(**{field.name: getattr(health, field.name) for field in fields(health)}, figures=read_figures(now))


def _events_in_minute(now: datetime) -> int:
    minute = _this_minute(now) - timedelta(minutes=1)
    counted = Window.objects.filter(metric="events", minute=minute).aggregate(count=Sum("count"))["count"]
    return int(counted or 0)


def _this_minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


def _as_of(now: datetime, topics: tuple[TopicProgress, ...]) -> dict[str, datetime | None]:
    newest = {progress.topic: progress.newest_at for progress in topics}
    asked = dict.fromkeys(
        (
            "topics", "lag", "dead_letters", "halted", "missing_partitions", "outbox", "unsent_alerts", "sources",
            "jobs", "differences",
        ),
        now,
    )  # fmt: skip
    rolling = {
        name: _furthest_behind([newest.get(topic) for topic in figure.made_of]) for name, figure in FIGURES.items()
    }
    return asked | {"events_per_second": _this_minute(now)} | rolling


def _furthest_behind(newest: list[datetime | None]) -> datetime | None:
    known = [at for at in newest if at is not None]
    return min(known) if known else None
