"""A compacted topic read whole by every process that wants its state: from its beginning to now, and on.

No group shares it out and no offset is kept: who starts anew reads what compaction has left, the newest message of each
key. Prices and controls reach each process that decides by them in this way.
"""

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from backoffice.kernel.errors import Retryable

from ..kafka.clients import CONSUMER, whole_errors
from ..kafka.headers import headers_of
from ..kafka.topicids import answer, ask
from ..patience import back_off
from ..standing import Standing, standing_of
from .batch import Batch
from .logtimes import appended

log = logging.getLogger(__name__)

AT_ONCE = 10_000
WAIT_SECONDS = 0.1
ANSWER_SECONDS = 10.0
LOOK_SECONDS = 5.0
_SETTINGS = CONSUMER | {
    # The client wants a name; nothing is ever subscribed or committed under it.
    "group.id": "pitboss-following",
    "enable.partition.eof": "true",
    "auto.offset.reset": "earliest",
}


class Follower(Protocol):
    """Keeps the state that a topic's messages make."""

    def begin(self) -> None:
        """What is known is void; the topic is told from its beginning."""

    def take(self, batch: Batch) -> None:
        """The next messages, in order for each key; a value of None takes its key out.

        What is about less than was told of its key already is not among them.
        """

    def caught_up(self) -> None:
        """All is told that was there when the reading began; from now on changes are told as they come."""


def follow(topic: str, follower: Follower, *, kafka: Mapping[str, Any], prefix: str, stopping: threading.Event) -> None:
    """Tell the follower of the topic until told to stop; from the start again where Kafka went away or forgot."""
    for _ in back_off(stopping):
        consumer = Consumer(_SETTINGS | dict(kafka))
        try:
            with whole_errors():
                _Reading(consumer, topic, f"{prefix}{topic}", follower, dict(kafka)).run(stopping)
        except (KafkaException, Retryable) as error:
            log.warning("%s is read from its beginning again: %s", topic, error)
        finally:
            consumer.close()


class _Reading:
    """One reading from the beginning on."""

    def __init__(self, consumer: Consumer, topic: str, name: str, follower: Follower, kafka: dict[str, str]) -> None:
        self._consumer, self._topic, self._name, self._follower = consumer, topic, name, follower
        self._kafka = kafka
        self._positions: dict[int, int] = {}
        self._newest: dict[bytes, Standing] = {}
        self._logged: dict[int, int] = {}
        self._unread: set[int] = set()
        self._is_telling = False

    def run(self, stopping: threading.Event) -> None:
        self._follower.begin()
        topic_id = self._topic_id()
        self._add(self._partitions())
        look_at = time.monotonic() + LOOK_SECONDS
        while not stopping.is_set():
            self._take(self._consumer.consume(AT_ONCE, WAIT_SECONDS))
            if time.monotonic() >= look_at:
                if self._topic_id() != topic_id:
                    raise Retryable(f"{self._name} was made anew")
                self._add(self._partitions() - self._positions.keys())
                look_at = time.monotonic() + LOOK_SECONDS

    def _topic_id(self) -> str:
        found = answer(ask(self._kafka, self._name))
        if found is None:
            raise Retryable(f"there is no topic {self._name}")
        return found

    def _partitions(self) -> set[int]:
        found = self._consumer.list_topics(self._name, timeout=ANSWER_SECONDS).topics[self._name]
        if found.error is not None:
            raise Retryable(f"Kafka says: {found.error.str()}")
        return set(found.partitions)

    def _add(self, partitions: set[int]) -> None:
        """Read these too, from their beginning."""
        if partitions:
            self._positions |= dict.fromkeys(partitions, 0)
            self._unread |= partitions
            self._consumer.incremental_assign(
                [TopicPartition(self._name, partition, OFFSET_BEGINNING) for partition in sorted(partitions)]
            )

    def _take(self, messages: list[Message]) -> None:
        batch = Batch(self._topic)
        for message in messages:
            if self._is_data(message):
                partition, offset = message.partition() or 0, message.offset() or 0
                if offset < self._positions[partition]:
                    raise Retryable(f"{self._name}[{partition}] goes on at {offset}, before what was read of it")
                start = self._positions[partition]
                if self._counts(message):
                    batch.add(partition=partition, offset=offset, key=message.key(), value=message.value(), start=start)
                self._positions[partition] = offset + 1
        if len(batch):
            self._follower.take(batch)
        if not self._unread and not self._is_telling:
            self._is_telling = True
            self._follower.caught_up()

    def _counts(self, message: Message) -> bool:
        """Whether nothing newer of its key was told than what the message is about."""
        key, partition = message.key() or b"", message.partition() or 0
        logged = self._logged[partition] = max(self._logged.get(partition, 0), int(appended([message])[0]))
        own = logged, message.offset() or 0
        (headers,) = headers_of([message])
        place = standing_of(headers, own) or own
        if place < self._newest.get(key, place):
            return False
        self._newest[key] = place
        return True

    def _is_data(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() == KafkaError._PARTITION_EOF:
            self._unread.discard(message.partition() or 0)
        elif not error.retriable() and error.code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
            raise Retryable(f"Kafka says: {error.str()}")
        return False
