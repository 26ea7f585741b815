"""What waits in Kafka, and where nobody takes it: judged from outside the workers, for there may be none."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, OffsetSpec
from django.conf import settings

from backoffice.contracts.catalogue import TOPICS
from backoffice.streams.clocks import lies_ahead
from backoffice.streams.kafka import offsets
from backoffice.streams.kafka.clients import admin_client
from backoffice.streams.kafka.offsets import Answers
from backoffice.streams.models import Offset

from .progress import StreamTopic, TopicProgress, stream_topics

TIMEOUT = 2.0
# What Kafka says where no message is as late as was asked.
_NONE_SINCE = -1


# For each partition the next offset to store, and when it was last moved.
_Stored = dict[int, tuple[int, datetime]]


@dataclass(frozen=True)
class Lag:
    """For each stream and topic the messages that are not stored yet, and the partitions that stand still.

    A partition stands still where a message has waited for longer than ``STREAM_STALL_SECONDS`` and nothing was stored
    for as long, where Kafka has its topic no more, or where Kafka does not tell of it although it answers: nobody can
    say then that it goes on. ``untold`` are the reasons for the last. What a transaction has not committed yet is not
    counted, for nobody may read it; nor is what is not told of.
    """

    waiting: dict[StreamTopic, int]
    standing: dict[StreamTopic, tuple[int, ...]]
    untold: dict[StreamTopic, tuple[str, ...]]


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
    moment = OffsetSpec.for_timestamp(int(_stall_began(now).timestamp() * 1000))
    questions = OffsetSpec.earliest(), OffsetSpec.latest(), moment  # type: ignore[no-untyped-call]
    stored = _stored()
    asked = offsets.ask(admin, {f"{prefix}{topic}" for _, topic in stream_topics()}, questions, TIMEOUT)
    lag = Lag({}, {}, {})
    for place in stream_topics():
        _judge(lag, place, f"{prefix}{place[1]}", asked, stored.get(place, {}), now)
    return lag


def _stall_began(now: datetime) -> datetime:
    """Since when something ought to have been stored."""
    return now - timedelta(seconds=settings.STREAMS["stall"])


def _stored() -> dict[StreamTopic, _Stored]:
    found: dict[StreamTopic, _Stored] = {}
    rows = Offset.objects.values_list("stream", "topic", "partition", "next", "updated_at")
    for stream, topic, partition, following, updated_at in rows:
        found.setdefault((stream, topic), {})[partition] = (following, updated_at)
    return found


def _judge(lag: Lag, place: StreamTopic, name: str, asked: Answers, stored: _Stored, now: datetime) -> None:
    """Put down what is told of one topic in one stream, each of its partitions by itself."""
    since = _stall_began(now)
    untold = asked.missing(name, stored.keys() or range(TOPICS[place[1]].partitions))
    told = asked.told.get(name, {})
    is_gone = name not in asked.told and name not in asked.refused
    standing = set(stored) if is_gone else set(untold)
    for partition, (begin, end, first_since) in told.items():
        following, updated_at = stored.get(partition, (begin, None))
        lag.waiting[place] = lag.waiting.get(place, 0) + max(0, end - following)
        # Where the log ended at the moment since when something ought to be stored.
        end_then = end if first_since == _NONE_SINCE else min(first_since, end)
        if following < end_then and not _is_recent(updated_at, since, now):
            standing.add(partition)
    if standing:
        lag.standing[place] = tuple(sorted(standing))
    if untold:
        lag.untold[place] = tuple(dict.fromkeys(untold[partition] for partition in sorted(untold)))


def _is_recent(updated_at: datetime | None, since: datetime, now: datetime) -> bool:
    return updated_at is not None and updated_at >= since and not lies_ahead(updated_at, now)


def judged(topics: Iterable[TopicProgress], lag: Lag | None) -> tuple[TopicProgress, ...]:
    """The topics, with those partitions among the stalled of which Kafka shows that they stand still.

    One that is halted waits for a person and is told as that.
    """
    return tuple(progress if lag is None else _judged(progress, lag) for progress in topics)


def _judged(progress: TopicProgress, lag: Lag) -> TopicProgress:
    place = (progress.stream, progress.topic)
    seen = set(lag.standing.get(place, ())) - set(progress.halted)
    stalled = tuple(sorted(seen.union(progress.stalled)))
    return replace(progress, stalled=stalled, untold=lag.untold.get(place, ()))
