"""A compacted topic read whole by every process that wants its state: from its beginning to now, and on.

No group shares it out and no offset is kept: who starts anew reads what compaction has left, the newest message of each
key. Prices and controls reach each process that decides by them in this way.
"""

import logging
import re
import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from backoffice.kernel.errors import ENDINGS, Retryable, origin

from .. import telemetry
from ..kafka.clients import closing_quietly, lone_consumer, whole_errors
from ..kafka.headers import headers_of
from ..kafka.topicids import answer, ask
from ..patience import pause
from ..standing import Standing, standing_of
from .batch import Batch
from .logtimes import appended

log = logging.getLogger(__name__)

AT_ONCE = 10_000
WAIT_SECONDS = 0.1
ANSWER_SECONDS = 10.0
LOOK_SECONDS = 5.0
# What is gone from the log is no loss to who begins anew.
_SETTINGS = {"auto.offset.reset": "earliest"}


class Follower(Protocol):
    """Keeps the state that a topic's messages make.

    Whatever it raises, it is told all from the beginning again, as often as it takes.
    """

    def begin(self) -> None:
        """What is known is void; the topic is told from its beginning."""

    def take(self, batch: Batch) -> None:
        """The next messages, in order for each key; a value of None takes its key out.

        What is about less than was told of its key already is not among them.
        """

    def caught_up(self) -> None:
        """All is told that was there when the reading began; from now on changes are told as they come."""


def follow(topic: str, follower: Follower, *, kafka: Mapping[str, Any], prefix: str, stopping: threading.Event) -> None:
    """Tell the follower of the topic until told to stop.

    From the start again where Kafka went away or forgot, or the follower failed, with pauses that grow.
    `pitboss_topic_untold` counts it until all is told.
    """
    untold, trouble = _Untold(topic), _Trouble(topic)
    try:
        while not stopping.wait(trouble.pause):
            untold.note(True)
            try:
                with whole_errors(), closing_quietly(lone_consumer(kafka, "pitboss-following", _SETTINGS)) as consumer:
                    _Reading(consumer, topic, f"{prefix}{topic}", follower, dict(kafka), untold, trouble).run(stopping)
            except ENDINGS:
                raise
            except BaseException as error:  # noqa: BLE001 - a panic of a Rust library is no Exception
                trouble.note(error)
    finally:
        untold.note(False)


class _Untold:
    """Whether one follower has not been told all; other threads of this process may follow the same topic."""

    def __init__(self, topic: str) -> None:
        self._counted = telemetry.UNTOLD.labels(topic)
        self._is = False

    def note(self, is_untold: bool) -> None:
        if is_untold != self._is:
            self._counted.inc(1 if is_untold else -1)
        self._is = is_untold


class _Trouble:
    """What keeps a topic from being told, each kind of it said once until all has gone well for a while."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._said: set[str] = set()
        self._failures = 0

    def note(self, error: BaseException) -> None:
        """Of what nobody foresaw it is said where it came from: what it says may quote a message."""
        self._failures += 1
        is_foreseen = isinstance(error, (KafkaException, Retryable))
        told = str(error) if is_foreseen else origin(error)
        kind = re.sub(r"\d+", "", told)
        if kind not in self._said:
            self._said.add(kind)
            level = logging.WARNING if is_foreseen else logging.ERROR
            log.log(level, "%s is told from its beginning again, as often as it takes: %s", self._topic, told)

    def end(self) -> None:
        if self._failures:
            log.info("%s is told again, after %s failures", self._topic, self._failures)
        self._said.clear()
        self._failures = 0

    @property
    def pause(self) -> float:
        """Seconds until it may be told again."""
        return pause(self._failures) if self._failures else 0.0


class _Reading:
    """One reading from the beginning on."""

    def __init__(
        self, consumer: Consumer, topic: str, name: str, follower: Follower, kafka: dict[str, str],
        untold: _Untold, trouble: _Trouble,
    ) -> None:  # fmt: skip
        self._consumer, self._topic, self._name, self._follower = consumer, topic, name, follower
        self._kafka, self._untold, self._trouble = kafka, untold, trouble
        self._positions: dict[int, int] = {}
        self._newest: dict[bytes, Standing] = {}
        self._logged: dict[int, int] = {}
        self._unread: set[int] = set()
        self._is_told = False

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
                if self._is_told:
                    self._trouble.end()

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
        if not self._unread and not self._is_told:
            self._follower.caught_up()
            self._is_told = True
            self._untold.note(False)

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
