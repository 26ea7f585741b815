"""The state of the platform at one moment, as a person asks for it first: what moves, what waits, what is wrong."""

from collections import Counter
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import Error
from django.db.models import Sum

from backoffice.streams.jobs import Job

from .alerts import UnsentAlert
from .differences import Differences
from .facts import Facts, brief_session, read_each, read_facts, read_lag
from .figures import FIGURES
from .hidden import look_here
from .lag import Lag
from .models import Window
from .outbox import Outbox
from .progress import StreamTopic, TopicProgress
from .selectors import MONTH
from .silence import Source

# No figure looks further back.
LONGEST = MONTH
# What is worked out of the topics alone.
OF_TOPICS = ("dead_letters", "halted", "diverted", "stalled", "skipped")


@dataclass(frozen=True)
class Health:
    """How the platform is.

    ``events_per_second`` is of the last full minute. ``lag_by_topic`` counts messages, and is None where Kafka does not
    answer. What Postgres did not say in time (a table may be locked, or not migrated) is empty, and its field is named
    in ``unread``. ``as_of`` says for each number of when it is: the moment of asking for what is read as it stands, and
    the newest event in it for a figure (of the topic that is furthest behind, where several make it); None where there
    is no event yet.
    """

    at: datetime
    topics: tuple[TopicProgress, ...]
    lag_by_topic: dict[StreamTopic, int] | None
    sources: tuple[Source, ...]
    events_per_second: float
    missing_partitions: tuple[str, ...]
    outbox: Outbox | None
    unsent_alerts: tuple[UnsentAlert, ...]
    jobs: tuple[Job, ...]
    differences: tuple[Differences, ...]
    hidden_metrics: tuple[str, ...]
    unread: tuple[str, ...]
    as_of: dict[str, datetime | None]

    @property
    def lag(self) -> dict[str, int]:
        """Messages that wait, for each stream; empty where Kafka does not answer."""
        waiting = Counter({stream: 0 for stream, _ in self.lag_by_topic or {}})
        for (stream, _), count in (self.lag_by_topic or {}).items():
            waiting[stream] += count
        return dict(sorted(waiting.items()))

    @property
    def dead_letters(self) -> int | None:
        return None if "topics" in self.unread else sum(topic.dead_letters for topic in self.topics)

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
    def skipped(self) -> list[str]:
        """What the figures lack because a person had it left out, for as long as one of them may reach back to it."""
        of_late = [
            progress
            for progress in self.topics
            if progress.skipped.last_at is not None and self.at - progress.skipped.last_at <= LONGEST
        ]
        return [_lacking(progress) for progress in of_late]

    @property
    def stalled(self) -> list[str]:
        return [progress.standing for progress in self.topics if progress.stalled]


@dataclass(frozen=True)
class Status(Health):
    """The same with the operator's figures, each under its name; without those that are ``unread``."""

    figures: dict[str, Any]


def _lacking(progress: TopicProgress) -> str:
    skipped, figures = progress.skipped, [name for name, each in FIGURES.items() if progress.topic in each.made_of]
    number = f"{skipped.messages:,} messages" if skipped.messages else "what a deleted topic held"
    lack = f"; so do {', '.join(figures)}" if figures else ""
    return f"{progress.stream}: {progress.topic} lacks {number}, skipped by {skipped.last_at:%Y-%m-%d %H:%M} UTC{lack}"


def read_health() -> Health:
    """Raises django.db.Error when Postgres is away; what it does not say in time, or Kafka not, is not waited for."""
    lag, facts = _lag(), read_facts()
    with brief_session():
        counted = read_each({"events_per_second": _events_per_second}, facts.at)["events_per_second"]
    return _health(facts, lag, counted)


def read_status() -> Status:
    """Raises django.db.Error as `read_health`."""
    health = read_health()
    with brief_session():
        found = read_each({name: figure.read for name, figure in FIGURES.items()}, health.at)
    read = {name: figure for name, figure in found.items() if figure is not None}
    health = replace(health, unread=(*health.unread, *(name for name in found if name not in read)))
    return Status(**{field.name: getattr(health, field.name) for field in fields(health)}, figures=read)


def _health(facts: Facts, lag: Lag | None, events_per_second: float | None) -> Health:
    topics = facts.topics_judged(lag)
    unread = {"unsent_alerts" if name == "alerts" else name for name in facts.unread}
    return Health(
        at=facts.at,
        topics=topics or (),
        lag_by_topic=None if lag is None else lag.waiting,
        sources=tuple(facts.sources or ()),
        events_per_second=events_per_second or 0,
        missing_partitions=tuple(facts.missing_partitions or ()),
        outbox=facts.outbox,
        unsent_alerts=tuple(facts.alerts or ()),
        jobs=tuple(facts.jobs or ()),
        differences=tuple(facts.differences or ()),
        hidden_metrics=(*filter(None, [look_here()]), *(facts.hidden_metrics or ())),
        unread=tuple(sorted(unread | ({"events_per_second"} if events_per_second is None else set()))),
        as_of=_as_of(facts.at, topics or ()),
    )


def _lag() -> Lag | None:
    try:
        return read_lag()
    except Error:
        # Where Postgres is away, whoever asks it next says so.
        return None


def _events_per_second(now: datetime) -> float:
    minute = _this_minute(now) - timedelta(minutes=1)
    counted = Window.objects.filter(metric="events", minute=minute).aggregate(count=Sum("count"))["count"]
    return int(counted or 0) / 60


def _this_minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


def _as_of(now: datetime, topics: tuple[TopicProgress, ...]) -> dict[str, datetime | None]:
    newest = {progress.topic: progress.newest_at for progress in topics}
    asked = dict.fromkeys(
        (
            "topics", "lag", "dead_letters", "halted", "missing_partitions", "outbox", "unsent_alerts", "sources",
            "jobs", "differences", "skipped", "hidden_metrics",
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
