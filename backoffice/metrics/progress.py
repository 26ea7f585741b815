"""How each topic of each stream stands, by the streams' own tables: cheap enough to be asked every second."""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import ExpressionWrapper, F, FloatField, Max, Q, Sum
from django.db.models.functions import Coalesce, Extract, Now

from backoffice.contracts.catalogue import TOPICS
from backoffice.streams.kafka.offsets import few
from backoffice.streams.models import Gap, Offset
from backoffice.streams.store.projection import STREAMS

# More open dead letters than this are not counted one by one.
MANY = 10_000
STAND_STILL = "stand still"

_STOPPED = (
    "SELECT 'halted', stream, topic, array_agg(partition ORDER BY partition) FROM streams_halt"
    " WHERE resumed_at IS NULL GROUP BY stream, topic"
    " UNION ALL SELECT 'diverted', stream, topic, array_agg(partition ORDER BY partition) FROM streams_diversion"
    " WHERE ended_at IS NULL GROUP BY stream, topic"
    " UNION ALL SELECT 'stalled', stream, topic, partitions FROM streams_stall WHERE ended_at IS NULL"
)

StreamTopic = tuple[str, str]

# By how many ms the clock of who stored is behind the broker's time of what it stored, where that was not long ago.
_HOUR_MS = 3_600_000
_LACKS = Max(
    ExpressionWrapper(F("logged") - Extract("updated_at", "epoch") * 1_000, output_field=FloatField()),
    filter=Q(logged__gt=Extract(Now(), "epoch") * 1_000 - _HOUR_MS),
)


@dataclass(frozen=True)
class Lead:
    """Events that happened after the log took them, so that some producer's clock is ahead; ``last_at`` is the last."""

    events: int = 0
    most: timedelta = timedelta()
    last_at: datetime | None = None


@dataclass(frozen=True)
class Skipped:
    """What a person had the stream leave out for good; ``messages`` are so many offsets, and 0 where nobody can count
    them: in a topic that was deleted. ``last_at`` is when that was last decided.
    """

    messages: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True)
class TopicProgress:
    """One topic in the stream that stores it.

    ``newest_at`` is when the event happened that is the latest of those stored, ``stored_at`` when the stream last
    stored anything of the topic; None before the first. ``dead_letters`` are those that are open (of the oldest 10,000
    of all), ``halted`` the partitions that wait for a person, ``diverted`` those whose bad messages are diverted,
    ``stalled`` those that stand still although there is work, as a worker says of itself or Kafka shows (`lag.py`).
    ``untold`` says why Kafka does not tell of some of these. ``skipped`` is missing in all that is made of the topic.
    ``behind`` is by how much the clock of who stored of it within the last hour was behind the broker's; nothing where
    that may be.
    """

    stream: str
    topic: str
    newest_at: datetime | None
    stored_at: datetime | None
    dead_letters: int
    halted: tuple[int, ...]
    lead: Lead = Lead()
    diverted: tuple[int, ...] = ()
    stalled: tuple[int, ...] = ()
    behind: timedelta = timedelta()
    untold: tuple[str, ...] = ()
    skipped: Skipped = Skipped()

    @property
    def standing(self) -> str:
        """In words: what stands still, and why Kafka does not tell of it where that is so."""
        why = f" ({few(self.untold)})" if self.untold else ""
        return f"{self.stream}: {self.topic}{why}"

    @property
    def stopped(self) -> dict[str, tuple[int, ...]]:
        """In which ways it does not go on as usual, in words, and which partitions."""
        found = {STAND_STILL: self.stalled, "are halted": self.halted, "are diverted": self.diverted}
        return {how: partitions for how, partitions in found.items() if partitions}


def read_topics() -> list[TopicProgress]:
    """All of the catalogue that some stream stores, in its order. Four statements."""
    stored = {
        (stream, topic): (newest, updated, Lead(events, timedelta(milliseconds=most), last), _behind(lacks))
        for stream, topic, newest, updated, events, most, last, lacks in Offset.objects.values_list(
            "stream", "topic"
        ).annotate(Max("newest_at"), Max("updated_at"), Sum("ahead"), Max("ahead_most"), Max("ahead_at"), lacks=_LACKS)
    }
    dead, stopped, skipped = _open_dead_letters(), _stopped(), _skipped()
    found = []
    for place in stream_topics():
        newest, updated, lead, behind = stored.get(place, (None, None, Lead(), timedelta()))
        halted, diverted, stalled = (stopped[kind, *place] for kind in ("halted", "diverted", "stalled"))
        told = TopicProgress(*place, newest, updated, dead[place], halted, lead, diverted, stalled, behind)
        found.append(replace(told, skipped=skipped.get(place, Skipped())))
    return found


def _skipped() -> dict[StreamTopic, Skipped]:
    """Where a log was cut off nothing was left out."""
    rows = Gap.objects.filter(stored_until=None).values_list("stream", "topic")
    told = rows.annotate(messages=Coalesce(Sum(F("end") - F("start")), 0), last_at=Max("accepted_at"))
    return {(stream, topic): Skipped(int(messages), last_at) for stream, topic, messages, last_at in told}


def _behind(lacks: float | None) -> timedelta:
    found = timedelta(milliseconds=lacks or 0.0)
    return found if found > settings.CLOCK_BEHIND else timedelta()


def stream_topics() -> list[StreamTopic]:
    """Which stream stores which topic."""
    return [
        (name, topic.name)
        for topic in TOPICS.values()
        for name, stream in sorted(STREAMS.items())
        if stream.records_of(topic.name)
    ]


def _open_dead_letters() -> Counter[StreamTopic]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT stream, topic, count(*) FROM (SELECT stream, topic FROM streams_deadletter WHERE state = 'open'"
            " ORDER BY id LIMIT %s) AS oldest GROUP BY stream, topic",
            [MANY],
        )
        return Counter({(stream, topic): count for stream, topic, count in cursor.fetchall()})


def _stopped() -> dict[tuple[str, str, str], tuple[int, ...]]:
    """For each way of not going on as usual the partitions of each stream and topic."""
    found: dict[tuple[str, str, str], tuple[int, ...]] = defaultdict(tuple)
    with connection.cursor() as cursor:
        cursor.execute(_STOPPED)
        for kind, stream, topic, partitions in cursor.fetchall():
            found[kind, stream, topic] = tuple(partitions)
    return found
