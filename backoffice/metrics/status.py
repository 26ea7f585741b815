"""The state of the platform at one moment, as a person asks for it first: what moves, what waits, what is wrong."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from django.db.models import Sum

from backoffice.streams.models import DeadLetter, Halt, Offset

from . import selectors
from .models import Window

# More open dead letters than this are not counted one by one.
MANY = 10_000


@dataclass(frozen=True)
class Status:
    """Amounts in minor units for each vertical and currency, over the last hour; events of the last full minute."""

    at: datetime
    events_per_second: float
    lag: dict[str, int]
    dead_letters: int
    halted: list[str]
    ggr: dict[tuple[str, str], int]
    active_players: dict[str, int]


def read_status(now: datetime, admin: AdminClient, prefix: str) -> Status:
    """Raises KafkaException when Kafka does not say how long its logs are."""
    halted = Halt.objects.filter(resumed_at=None).values_list("stream", "topic", "partition")
    return Status(
        at=now,
        events_per_second=_events_in_minute(now) / 60,
        lag=_lag(admin, prefix),
        dead_letters=DeadLetter.objects.filter(state=DeadLetter.State.OPEN).order_by("id")[:MANY].count(),
        halted=[f"{stream}: {topic}[{partition}]" for stream, topic, partition in halted],
        ggr=selectors.ggr_by_vertical(now),
        active_players=selectors.active_players_by_jurisdiction(now),
    )


def _events_in_minute(now: datetime) -> int:
    minute = now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    counted = Window.objects.filter(metric="events", minute=minute).aggregate(count=Sum("count"))["count"]
    return int(counted or 0)


def _lag(admin: AdminClient, prefix: str) -> dict[str, int]:
    """Messages not stored yet, for each stream."""
    stored = {
        (offset.stream, TopicPartition(f"{prefix}{offset.topic}", offset.partition)): offset.next
        for offset in Offset.objects.all()
    }
    wanted = {place: OffsetSpec.latest() for _, place in stored}  # type: ignore[no-untyped-call]
    ends = {place: told.result(5).offset for place, told in admin.list_offsets(wanted).items()} if wanted else {}
    lag = dict.fromkeys(sorted({stream for stream, _ in stored}), 0)
    for (stream, place), following in stored.items():
        lag[stream] += max(0, ends[place] - following)
    return lag
