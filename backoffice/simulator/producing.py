"""From events to Kafka: each in the form its contract says, at a pace, and none lost while the cluster is away."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from threading import Event as Signal

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Rejected, Retryable
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.garbage import Garbage
from backoffice.simulator.pacing import Pace

PRODUCER = {
    "client.id": "pitboss-simulator",
    # One key, one partition, in the order of sending, also over retries; and where Java's producers put the key.
    "enable.idempotence": "true",
    "partitioner": "murmur2_random",
    # A message waits as long as the cluster is away; what does not fit into the queue any more waits before it.
    "message.timeout.ms": "0",
    "reconnect.backoff.max.ms": "1000",
    "queue.buffering.max.messages": "200000",
    "compression.type": "lz4",
    "linger.ms": "5",
    "delivery.report.only.error": True,
}
REPORT_SECONDS = 10.0
_RETRY_SECONDS = 1.0
_FULL_QUEUE_SECONDS = 0.1
_SERVE_EVERY = 1_000
# After being told to stop, how long what is queued may still take; shorter than a supervisor's patience.
_LAST_SECONDS = 6.0

log = logging.getLogger(__name__)


@dataclass
class Totals:
    """What was sent. ``per_topic`` counts events and bad messages, by topics without the cluster's prefix."""

    events: int = 0
    garbage: int = 0
    seconds: float = 0.0
    per_topic: Counter[str] = field(default_factory=Counter)
    # Handed to the client, but not taken by the cluster.
    undelivered: int = 0


def message_of(message: Event | Garbage, ids: Mapping[str, int]) -> tuple[str, str, bytes]:
    """Topic (without prefix), key and value; ``ids`` are the schema ids by record."""
    if isinstance(message, Garbage):
        return message.topic, message.key, message.value
    value = frame(ids[message.record], encode(message.record, message.body))
    return topic_of(message.record), message.key, value


def schema_ids(registry: Registry, stop: Signal) -> dict[str, int]:
    """The ids of all records, by record. Waits for a registry that is away, and is empty when stopped in that time.

    Raises:
        Rejected: a schema is not compatible with the registered ones.
    """
    records = [record for topic in TOPICS.values() for record in topic.records]
    told = ""
    while not stop.is_set():
        try:
            return {record: registry.register(record) for record in records}
        except Retryable as away:
            told = _tell_once(str(away), told)
            stop.wait(_RETRY_SECONDS)
    return {}


def produce(
    messages: Iterable[Event | Garbage],
    *,
    kafka: Mapping[str, str],
    prefix: str,
    ids: Mapping[str, int],
    pace: Pace,
    stop: Signal | None = None,
    report: Callable[[Totals], None] = lambda _: None,
) -> Totals:
    """Send the messages until they end or ``stop`` is set, then wait until the cluster has them.

    ``report`` is called every ``REPORT_SECONDS`` with the totals so far.

    Raises:
        Rejected: a topic is not there, or the cluster will never take what is sent.
    """
    stop = stop or Signal()
    sender = Sender(kafka, prefix, stop, report)
    sender.wait_for_topics()
    source = iter(messages)
    for count in pace.grants(stop):
        sent = sum(_send(sender, message, ids) for message in islice(source, count))
        sender.serve()
        if sent < count:
            break
    return sender.finish()


def _send(sender: "Sender", message: Event | Garbage, ids: Mapping[str, int]) -> bool:
    return sender.send(*message_of(message, ids), is_garbage=isinstance(message, Garbage))


class Sender:
    """Queues messages for Kafka in order, waits where it is away, and counts; ``stop`` ends the waiting."""

    def __init__(
        self, kafka: Mapping[str, str], prefix: str, stop: Signal, report: Callable[[Totals], None] = lambda _: None
    ) -> None:
        self._producer = Producer({**PRODUCER, **kafka, "on_delivery": self._delivered})
        self._topics = {topic: prefix + topic for topic in TOPICS}
        self._stop = stop
        self._report = report
        self._totals = Totals()
        self._failure: KafkaError | None = None
        self._began = self._reported = time.monotonic()

    def wait_for_topics(self) -> None:
        """Wait for a cluster that is away; refuse one without our topics."""
        told = ""
        while not self._stop.is_set():
            try:
                known = self._producer.list_topics(timeout=_RETRY_SECONDS).topics
            except KafkaException as away:
                told = _tell_once(f"Kafka does not answer ({away.args[0].str()}); start it or wait.", told)
                continue
            if missing := sorted(set(self._topics.values()) - set(known)):
                raise Rejected(f"Topic {missing[0]} is not there; make it with manage.py topics --apply.")
            return

    @property
    def totals(self) -> Totals:
        return self._totals

    def send(self, topic: str, key: str | bytes, value: bytes, *, is_garbage: bool = False) -> bool:
        """Whether the message was queued; it is not when stopped while the queue is full.

        Raises:
            Rejected: the cluster will never take what is sent.
        """
        while True:
            try:
                self._producer.produce(self._topics[topic], value, key)
            except BufferError:
                if self._stop.is_set():
                    return False
                self.serve(_FULL_QUEUE_SECONDS)
            except KafkaException as error:
                raise Rejected(
                    f"Kafka takes no more from this producer ({error.args[0].str()}); start it anew."
                ) from error
            else:
                self._count(topic, is_garbage)
                return True

    def settle(self) -> bool:
        """Wait until the cluster has all that was sent; False when stopped before.

        Raises:
            Rejected: it refused some of it.
        """
        while self._producer.flush(_RETRY_SECONDS):
            self.serve()
            if self._stop.is_set():
                return False
        self.serve()
        if self._failure is not None:
            raise Rejected(f"Kafka refused messages ({self._failure.str()}); look at the topics, then start it anew.")
        return True

    def tick(self) -> None:
        """Let the client do its work every now and then, between many messages."""
        if not self._totals.events % _SERVE_EVERY:
            self.serve()

    def serve(self, seconds: float = 0.0) -> None:
        """Let the client do its work, and report when it is time."""
        self._producer.poll(seconds)
        now = time.monotonic()
        self._totals.seconds = now - self._began
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            self._report(self._totals)

    def finish(self) -> Totals:
        """Wait until the cluster has everything; not for long when told to stop."""
        deadline: float | None = None
        while self._producer.flush(_RETRY_SECONDS):
            self.serve()
            if self._stop.is_set():
                deadline = deadline or time.monotonic() + _LAST_SECONDS
                if time.monotonic() >= deadline:
                    self._totals.undelivered += len(self._producer)
                    break
        self.serve()
        if self._failure is not None:
            log.error("Kafka refused messages, the last because: %s", self._failure.str())
        return self._totals

    def _count(self, topic: str, is_garbage: bool) -> None:
        if is_garbage:
            self._totals.garbage += 1
        else:
            self._totals.events += 1
        self._totals.per_topic[topic] += 1

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failure = error
            self._totals.undelivered += 1


def _tell_once(text: str, told: str) -> str:
    """Log a text that differs from the last one; the text."""
    if text != told:
        log.warning("%s", text)
    return text
