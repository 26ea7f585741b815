"""Topics of one test on a Kafka cluster, and all that they hold."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import uuid4

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from backoffice.contracts.catalogue import TOPICS

PARTITIONS = 3
_PATIENCE_SECONDS = 60.0


@contextmanager
def own_topics(kafka: Mapping[str, str]) -> Iterator[str]:
    """The prefix of a full set of topics, deleted at the end."""
    prefix = f"t{uuid4().hex[:10]}."
    admin = AdminClient(dict(kafka))
    for future in admin.create_topics([NewTopic(prefix + name, PARTITIONS, 1) for name in TOPICS]).values():
        future.result(30)
    yield prefix
    for future in admin.delete_topics([prefix + name for name in TOPICS]).values():
        future.result(30)


def held(kafka: Mapping[str, str], prefix: str) -> dict[str, list[list[tuple[str, bytes]]]]:
    """Key and value of all messages, by topic (without prefix) and partition, in order."""
    found: dict[str, list[list[tuple[str, bytes]]]] = {topic: [[] for _ in range(PARTITIONS)] for topic in TOPICS}
    wanted = count(kafka, prefix)
    consumer = Consumer({**kafka, "group.id": "unused", "enable.auto.commit": False})
    consumer.assign(_places(prefix))
    while wanted:
        for message in consumer.consume(min(wanted, 10_000), 1):
            assert message.error() is None, message.error()
            topic, partition = message.topic() or "", message.partition() or 0
            key, value = message.key() or b"", message.value() or b""
            found[topic.removeprefix(prefix)][partition].append((key.decode(), value))
            wanted -= 1
    consumer.close()
    return found


def count(kafka: Mapping[str, str], prefix: str) -> int:
    """How many messages the topics hold. Waits for partitions that have no leader yet."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    admin = AdminClient(dict(kafka))
    while True:
        try:
            latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            asked = admin.list_offsets(dict.fromkeys(_places(prefix), latest), request_timeout=5)
            ends = [each.result().offset for each in asked.values()]
            if OFFSET_INVALID not in ends:
                return sum(ends)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def murmur2(key: bytes) -> int:
    """The hash by which Kafka's Java client places a key (Utils.murmur2, seed 0x9747b28c), made positive."""
    mask, multiplier = 0xFFFFFFFF, 0x5BD1E995
    value = 0x9747B28C ^ len(key)
    whole = len(key) - len(key) % 4
    for start in range(0, whole, 4):
        chunk = int.from_bytes(key[start : start + 4], "little") * multiplier & mask
        chunk = (chunk ^ chunk >> 24) * multiplier & mask
        value = value * multiplier & mask ^ chunk
    if rest := key[whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * multiplier & mask
    value = (value ^ value >> 13) * multiplier & mask
    return (value ^ value >> 15) & 0x7FFFFFFF


def _places(prefix: str) -> list[TopicPartition]:
    return [TopicPartition(prefix + topic, partition, 0) for topic in TOPICS for partition in range(PARTITIONS)]
