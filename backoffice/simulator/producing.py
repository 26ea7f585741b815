"""From events to Kafka: each in the form its contract says, at a pace, counted and reported."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Event as Signal

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.garbage import Garbage
from backoffice.simulator.pacing import Pace
from backoffice.streams.kafka.sending import Sender

RECORDS = tuple(record for topic in TOPICS.values() for record in topic.records)
REPORT_SECONDS = 10.0


@dataclass
class Totals:
    """What was sent. ``per_topic`` counts events and bad messages, by topics without the cluster's prefix."""

    events: int = 0
    garbage: int = 0
    seconds: float = 0.0
    per_topic: Counter[str] = field(default_factory=Counter)


class CountingSender(Sender):
    """Counts what it queued, and calls ``report`` every ``REPORT_SECONDS`` with the totals so far."""

    def __init__(
        self, kafka: Mapping[str, str], prefix: str, stop: Signal, report: Callable[[Totals], None] = lambda _: None
    ) -> None:
        super().__init__(kafka, prefix, stop)
        self.totals = Totals()
        self._report = report
        self._began = self._reported = time.monotonic()

    def send(self, topic: str, key: str | bytes, value: bytes, *, is_garbage: bool = False) -> bool:
        queued = super().send(topic, key, value)
        self._count(topic, events=queued and not is_garbage, garbage=queued and is_garbage)
        return queued

    def send_all(self, topic: str, keys: Sequence[bytes], values: Sequence[bytes]) -> int:
        queued = super().send_all(topic, keys, values)
        self._count(topic, events=queued)
        return queued

    def serve(self, seconds: float = 0.0) -> None:
        super().serve(seconds)
        now = time.monotonic()
        self.totals.seconds = now - self._began
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            self._report(self.totals)

    def _count(self, topic: str, *, events: int, garbage: int = 0) -> None:
        self.totals.events += events
        self.totals.garbage += garbage
        self.totals.per_topic[topic] += events + garbage


def message_of(message: Event | Garbage, ids: Mapping[str, int]) -> tuple[str, str, bytes]:
    """Topic (without prefix), key and value; ``ids`` are the schema ids by record."""
    if isinstance(message, Garbage):
        return message.topic, message.key, message.value
    value = frame(ids[message.record], encode(message.record, message.body))
    return topic_of(message.record), message.key, value


def produce(
    messages: Iterable[Event | Garbage], sender: CountingSender, ids: Mapping[str, int], pace: Pace, stop: Signal
) -> None:
    """Send the messages until they end or ``stop`` is set, then wait until the cluster has them.

    Raises:
        Rejected: a topic is not there, or the cluster will never take what is sent.
    """
    sender.wait_for_topics(TOPICS)
    source = iter(messages)
    for count in pace.grants(stop):
        sent = sum(_send(sender, message, ids) for message in islice(source, count))
        sender.serve()
        if sent < count:
            break
    sender.finish()


def _send(sender: CountingSender, message: Event | Garbage, ids: Mapping[str, int]) -> bool:
    return sender.send(*message_of(message, ids), is_garbage=isinstance(message, Garbage))
