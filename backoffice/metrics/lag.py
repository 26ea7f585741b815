"""What waits in Kafka, and where nobody takes it: judged from outside the workers, for there may be none."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from django.conf import settings

from backoffice.streams.clocks import lies_ahead
from backoffice.streams.kafka.clients import admin_client
from backoffice.streams.models import Offset

from .progress import StreamTopic, TopicProgress, stream_topics

TIMEOUT = 2.0
# What Kafka says where no message is as late as was asked.
_NONE_SINCE = -1


@dataclass(frozen=True)
class Lag:
    """For each stream and topic the messages that are not stored yet, and the partitions that stand still.

    A partition stands still where a message has waited for longer than ``STREAM_STALL_SECONDS`` and nothing was stored
    for as long, or where Kafka has its topic no more. What a transaction has not committed yet is not counted, for
    nobody may read it.
    """

    waiting: dict[StreamTopic, int]
    standing: dict[StreamTopic, tuple[int, ...]]


@dataclass(frozen=True)
class _Log:
    """Where a partition begins and ends, and where it ended at the moment since when something ought to be stored."""

    begin: int
    end: int
    end_then: int


def ask_lag(now: datetime) -> Lag | None:
    """None while Kafka does not answer."""
    try:
        return read_lag(admin_client(settings.KAFKA), settings.KAFKA_TOPIC_PREFIX, now)
    except KafkaException:
        return None


def read_lag(admin: AdminClient, prefix: str, now: datetime) -> Lag:
    """Of all that a stream of ours stores; what it has never begun waits from the beginning of its log.

    Raises:
        KafkaException: Kafka does not say how long its logs are.
    """
    stored = {
        (stream, topic, partition): (following, updated_at)
        for stream, topic, partition, following, updated_at in Offset.objects.values_list(
            "stream", "topic", "partition", "next", "updated_at"
        )
    }
    since = now - timedelta(seconds=settings.STREAMS["stall"])
    logs = _logs(admin, {f"{prefix}{topic}" for _, topic in stream_topics()}, since)
    waiting: Counter[StreamTopic] = Counter()
    standing: dict[StreamTopic, tuple[int, ...]] = defaultdict(tuple)
    for stream, topic in stream_topics():
        name = f"{prefix}{topic}"
        if name not in logs and (begun := [p for s, t, p in stored if (s, t) == (stream, topic)]):
            standing[stream, topic] = tuple(sorted(begun))
        for partition, log in sorted(logs.get(name, {}).items()):
            following, updated_at = stored.get((stream, topic, partition), (log.begin, None))
            waiting[stream, topic] += max(0, log.end - following)
            if following < log.end_then and not _is_recent(updated_at, since, now):
                standing[stream, topic] += (partition,)
    return Lag(dict(waiting), dict(standing))


def _is_recent(updated_at: datetime | None, since: datetime, now: datetime) -> bool:
    return updated_at is not None and updated_at >= since and not lies_ahead(updated_at, now)


def judged(topics: Iterable[TopicProgress], lag: Lag | None) -> tuple[TopicProgress, ...]:
    """The topics, with those partitions among the stalled of which Kafka shows that they stand still.

    One that is halted waits for a person and is told as that.
    """
    return tuple(_judged(progress, lag.standing if lag else {}) for progress in topics)


def _judged(progress: TopicProgress, standing: Mapping[StreamTopic, tuple[int, ...]]) -> TopicProgress:
    seen = set(standing.get((progress.stream, progress.topic), ())) - set(progress.halted)
    return replace(progress, stalled=tuple(sorted(seen.union(progress.stalled))))


def _logs(admin: AdminClient, names: Collection[str], since: datetime) -> dict[str, dict[int, _Log]]:
    """Of the topics that are there."""
    topics = admin.list_topics(timeout=TIMEOUT).topics
    places = [
        TopicPartition(name, partition)
        for name in sorted(names)
        if name in topics
        for partition in topics[name].partitions
    ]
    moment = OffsetSpec.for_timestamp(int(since.timestamp() * 1000))
    begins, ends, later = (
        _offsets(admin, places, spec)
        for spec in (OffsetSpec.earliest(), OffsetSpec.latest(), moment)  # type: ignore[no-untyped-call]
    )
    found: dict[str, dict[int, _Log]] = defaultdict(dict)
    for place in places:
        end, first_since = ends[place], later[place]
        end_then = end if first_since == _NONE_SINCE else min(first_since, end)
        found[place.topic][place.partition] = _Log(begins[place], end, end_then)
    return found


def _offsets(admin: AdminClient, places: list[TopicPartition], spec: OffsetSpec) -> dict[TopicPartition, int]:
    if not places:
        return {}
    wanted = dict.fromkeys(places, spec)
    try:
        told = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=TIMEOUT)
        return {place: future.result(2 * TIMEOUT).offset for place, future in told.items()}
    except TimeoutError as silence:
        raise KafkaException("Kafka does not answer in time.") from silence
