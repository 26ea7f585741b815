"""What Kafka holds of a topic: which topic it is, where its partitions begin and end, whether a place can be read."""

from collections.abc import Collection
from dataclasses import dataclass

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from backoffice.kernel.errors import Rejected, Retryable

from . import topicids
from .clients import CHECKED, READS_COMMITTED, admin_client

ANSWER_SECONDS = 5.0
READ_SECONDS = 15.0

Ends = dict[str, dict[int, int]]


@dataclass(frozen=True)
class Log:
    """``begins`` and ``ends`` are, for each partition, the first offset that is there and the one behind the last."""

    topic_id: str
    begins: dict[int, int]
    ends: dict[int, int]


def read_log(settings: dict[str, str], topic_name: str) -> Log:
    """Raises Rejected where there is no such topic, Retryable while Kafka does not answer."""
    topic_id = topicids.answer(topicids.ask(settings, topic_name))
    if topic_id is None:
        raise Rejected(f"Kafka has no topic {topic_name}; `manage.py topics --apply` makes those of the catalogue.")
    try:
        begins = _offsets(settings, {topic_name}, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        ends = read_ends(settings, {topic_name})
    except (KafkaException, TimeoutError) as silence:
        raise Retryable(f"Kafka does not say what {topic_name} holds: {silence}") from silence
    return Log(topic_id, begins.get(topic_name, {}), ends.get(topic_name, {}))


def read_ends(settings: dict[str, str], names: Collection[str]) -> Ends:
    """The end of each partition of the topics that are there, without what is not committed yet.

    Raises:
        KafkaException, TimeoutError: Kafka does not answer.
    """
    return _offsets(settings, names, OffsetSpec.latest())  # type: ignore[no-untyped-call]


def _offsets(settings: dict[str, str], names: Collection[str], spec: OffsetSpec) -> Ends:
    admin = admin_client(settings)
    topics = admin.list_topics(timeout=ANSWER_SECONDS).topics
    wanted = {
        TopicPartition(name, partition): spec
        for name in names
        if name in topics
        for partition in topics[name].partitions
    }
    found: Ends = {}
    if wanted:
        told = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=ANSWER_SECONDS)
        for place, future in told.items():
            found.setdefault(place.topic, {})[place.partition] = future.result(2 * ANSWER_SECONDS).offset
    return found


def complaint(settings: dict[str, str], topic_name: str, partition: int, offset: int) -> str:
    """What the client says when it reads there, outside any group; empty where it can.

    Raises:
        Retryable: it gets nothing at all.
    """
    wanted = {"enable.partition.eof": "true", "auto.offset.reset": "error", "enable.auto.commit": "false"}
    consumer = Consumer(CHECKED | READS_COMMITTED | wanted | settings | {"group.id": f"{topic_name}.look"})
    try:
        consumer.assign([TopicPartition(topic_name, partition, offset)])
        message = consumer.poll(READ_SECONDS)
    finally:
        consumer.close()
    if message is None:
        raise Retryable(f"Kafka hands out nothing of {topic_name}[{partition}] at {offset}; try again.")
    error = message.error()
    return "" if error is None or error.code() == KafkaError._PARTITION_EOF else error.str()
