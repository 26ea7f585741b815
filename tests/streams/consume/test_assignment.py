"""What Kafka's client makes of partitions that are given, taken, held back and moved."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient
from django.conf import settings

from backoffice.streams.consume.assignment import Assignment
from backoffice.streams.kafka.clients import CONSUMER
from tests.spine import Spine, until

TOPIC = "bet-events"


@pytest.fixture
def consumer(spine: Spine) -> Iterator[Consumer]:
    """One to which a test gives partitions itself; partition 0 has five messages."""
    spine.send_bytes(TOPIC, [b"%d" % number for number in range(5)], partition=0)
    consumer = Consumer(CONSUMER | settings.KAFKA | {"group.id": f"{spine.prefix}assignment"})
    yield consumer
    consumer.close()


def read(consumer: Consumer, until_offset: int = 4) -> list[int]:
    """The offsets that are handed out, up to one."""
    offsets: list[int] = []

    def is_there() -> bool:
        messages = consumer.consume(100, 0.1)
        offsets.extend(message.offset() or 0 for message in messages if message.error() is None)
        return until_offset in offsets

    until(is_there, f"offset {until_offset} is read", 30)
    return offsets


def test_a_partition_that_was_held_back_when_it_went_is_read_when_it_comes_again(
    spine: Spine, consumer: Consumer
) -> None:
    """Else it would stand still: owned, not halted, and nobody would know."""
    assignment = Assignment(consumer, f"{spine.prefix}{TOPIC}")
    assignment.gain({0: 0})
    read(consumer)
    assignment.pause({0})
    assignment.lose({0})

    assignment.gain({0: 2})

    assert read(consumer) == [2, 3, 4]
    assert (assignment.owned, assignment.paused) == ({0}, set())


def test_what_is_moved_while_it_is_held_back_is_read_from_there(spine: Spine, consumer: Consumer) -> None:
    assignment = Assignment(consumer, f"{spine.prefix}{TOPIC}")
    assignment.gain({0: 0})
    read(consumer)

    assignment.pause({0})
    assignment.move(0, 3)
    assert assignment.resume({0, 1}) == {0}

    assert read(consumer) == [3, 4]


def test_a_partition_that_the_client_has_given_up_is_read_again_when_it_is_moved(
    spine: Spine, consumer: Consumer
) -> None:
    place, admin = TopicPartition(f"{spine.prefix}{TOPIC}", 0, 3), AdminClient({**settings.KAFKA})
    admin.delete_records([place])[place].result(30)
    assignment = Assignment(consumer, f"{spine.prefix}{TOPIC}")
    assignment.gain({0: 1})

    def is_given_up() -> bool:
        errors = [message.error() for message in consumer.consume(10, 0.1)]
        return any(error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET for error in errors)

    until(is_given_up, "the client says that the offset is gone")
    assignment.move(0, 3)

    assert read(consumer) == [3, 4]
