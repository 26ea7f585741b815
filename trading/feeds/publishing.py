"""Events of a feed into Kafka: none lost, none doubled, in order for each sport event."""

import logging
import time
from collections.abc import Iterable, Mapping
from threading import Event as Signal
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Rejected, Retryable
from backoffice.streams.kafka import producer

from .adapter import Update
from .stamping import Stamp

RECORD = "MarketUpdate"
# What is queued waits as long as the cluster is away: an update left out would be a market that nobody suspended.
_PATIENT = {"delivery.timeout.ms": "0"}
_RETRY_SECONDS = 1.0
_FULL_QUEUE_SECONDS = 0.1
# After being told to stop; shorter than a supervisor's patience.
_LAST_SECONDS = 6.0

log = logging.getLogger(__name__)


def schema_id(registry: Registry, stop: Signal) -> int | None:
    """The id of our record. Waits for a registry that is away; None when stopped in that time.

    Raises:
        Rejected: the schema is not compatible with the registered ones.
    """
    told = ""
    while not stop.is_set():
        try:
            return registry.register(RECORD)
        except Retryable as away:
            told = _tell_once(str(away), told)
            stop.wait(_RETRY_SECONDS)
    return None


class Publisher:
    """Stamps updates and sends them. ``published`` counts them, ``undelivered`` those that Kafka never took."""

    def __init__(self, kafka: Mapping[str, str], prefix: str, schema: int, stamp: Stamp) -> None:
        self._producer: Producer = producer({**kafka, **_PATIENT})
        self._topic = prefix + topic_of(RECORD)
        self._schema = schema
        self._stamp = stamp
        self._failure: KafkaError | None = None
        self.published = 0
        self.undelivered = 0

    def wait_for_topic(self, stop: Signal) -> None:
        """Wait for a cluster that is away.

        Raises:
            Rejected: the cluster has no such topic.
        """
        told = ""
        while not stop.is_set():
            try:
                known = self._producer.list_topics(timeout=_RETRY_SECONDS).topics
            except KafkaException as away:
                told = _tell_once(f"Kafka does not answer ({away.args[0].str()}); start it or wait.", told)
                continue
            if self._topic not in known:
                raise Rejected(f"Topic {self._topic} is not there; make it with manage.py topics --apply.")
            return

    def start(self, provider_time: int) -> None:
        """The provider's clock (milliseconds) at the moment from which on updates are sent."""
        self._stamp.start(provider_time)

    def publish(self, updates: Iterable[Update], stop: Signal) -> None:
        """Queue the updates; waits while the queue is full, unless told to stop.

        Raises:
            Rejected: Kafka takes nothing more from this producer.
        """
        for update in updates:
            self._send(self._stamp.event(update), stop)
        self.serve()

    def serve(self) -> None:
        """Let the client tell what became of what was sent."""
        self._producer.poll(0)

    def finish(self, stop: Signal) -> None:
        """Wait until Kafka has everything; not for long when told to stop."""
        deadline: float | None = None
        while self._producer.flush(_RETRY_SECONDS):
            if stop.is_set():
                deadline = deadline or time.monotonic() + _LAST_SECONDS
                if time.monotonic() >= deadline:
                    self.undelivered += len(self._producer)
                    break
        if self._failure is not None:
            log.error("Kafka refused messages, the last because: %s", self._failure.str())

    def _send(self, event: Mapping[str, Any], stop: Signal) -> None:
        value = frame(self._schema, encode(RECORD, event))
        while True:
            try:
                self._producer.produce(self._topic, value, event["sport_event_id"], on_delivery=self._delivered)
            except BufferError:
                if stop.is_set():
                    self.undelivered += 1
                    return
                self._producer.poll(_FULL_QUEUE_SECONDS)
            except KafkaException as error:
                raise Rejected(
                    f"Kafka takes no more from this producer ({error.args[0].str()}); start it anew."
                ) from error
            else:
                self.published += 1
                return

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failure = error
            self.undelivered += 1


def _tell_once(text: str, told: str) -> str:
    """Log a text that differs from the last one; the text."""
    if text != told:
        log.warning("%s", text)
    return text
