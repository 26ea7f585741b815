"""A sender with patience: it waits while the cluster or the registry is away, and keeps the order of each key."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event as Signal
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message

from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Rejected, Retryable

from .clients import producer, whole_errors

MOST_QUEUED = 200_000
PATIENT = {
    # What is queued waits as long as the cluster is away; what does not fit into the queue waits before it.
    "delivery.timeout.ms": "0",
    "queue.buffering.max.messages": str(MOST_QUEUED),
    "delivery.report.only.error": True,
}
_RETRY_SECONDS = 1.0
_FULL_QUEUE_SECONDS = 0.1
_AT_ONCE = 5_000
# After being told to stop, how long what is queued may still take; shorter than a supervisor's patience.
_LAST_SECONDS = 6.0

log = logging.getLogger(__name__)


def schema_ids(registry: Registry, records: Iterable[str], stop: Signal) -> dict[str, int]:
    """The ids of the records. Waits for a registry that is away, and is empty when stopped in that time.

    Raises:
        Rejected: a schema is not compatible with the registered ones.
    """
    wanted = list(records)
    told = ""
    while not stop.is_set():
        try:
            return {record: registry.register(record) for record in wanted}
        except Retryable as away:
            told = _tell_once(str(away), told)
            stop.wait(_RETRY_SECONDS)
    return {}


class Sender:
    """Queues messages and waits where the cluster is away; ``stop`` ends the waiting.

    Topics are named without the cluster's prefix. ``undelivered`` counts what was queued but never taken. Where the
    client has forgotten the cluster nothing more will be taken, what is queued neither: that is Rejected.
    """

    def __init__(self, kafka: Mapping[str, str], prefix: str, stop: Signal) -> None:
        self._producer = producer({**PATIENT, **kafka, "on_delivery": self._delivered})
        self._prefix = prefix
        self._stop = stop
        self._failure: KafkaError | None = None
        self.undelivered = 0

    def wait_for_topics(self, topics: Iterable[str]) -> None:
        """Wait for a cluster that is away.

        Raises:
            Rejected: the cluster has not all of these topics.
        """
        wanted = {self._prefix + topic for topic in topics}
        told = ""
        while not self._stop.is_set():
            try:
                with whole_errors():
                    known = self._producer.list_topics(timeout=_RETRY_SECONDS).topics
            except KafkaException as away:
                told = _tell_once(f"Kafka does not answer ({away.args[0].str()}); start it or wait.", told)
                self.serve()
                continue
            if missing := sorted(wanted - set(known)):
                raise Rejected(f"Topic {missing[0]} is not there; make it with manage.py topics --apply.")
            return

    def send(self, topic: str, key: str | bytes, value: bytes) -> bool:
        """Whether the message was queued; it is not when stopped while the queue is full.

        Raises:
            Rejected: the cluster will never take what is sent.
        """
        while True:
            try:
                with _hopeful():
                    self._producer.produce(self._prefix + topic, value, key)
            except BufferError:
                if self._stop.is_set():
                    return False
                self.serve(_FULL_QUEUE_SECONDS)
            else:
                return True

    def send_all(self, topic: str, keys: Sequence[bytes], values: Sequence[bytes]) -> int:
        """Queue many messages of a topic in their order; how many, fewer than all when stopped while the queue is full.

        Raises:
            Rejected: the cluster will never take what is sent.
        """
        for start in range(0, len(values), _AT_ONCE):
            chosen = slice(start, start + _AT_ONCE)
            messages = [{"key": key, "value": value} for key, value in zip(keys[chosen], values[chosen], strict=True)]
            if not self._has_room(len(messages)):
                return start
            self._produce(topic, messages)
            self.serve()
        return len(values)

    def serve(self, seconds: float = 0.0) -> None:
        """Let the client tell what became of what was sent.

        Raises:
            Rejected: it goes no further.
        """
        with _hopeful():
            self._producer.poll(seconds)

    def settle(self) -> bool:
        """Wait until the cluster has all that was sent; False when stopped before.

        Raises:
            Rejected: it refused some of it.
        """
        for _ in self._flushing():
            if self._stop.is_set():
                return False
        if self._failure is not None:
            raise Rejected(f"Kafka refused messages ({self._failure.str()}); look at the topics, then start it anew.")
        return True

    def finish(self) -> None:
        """Wait until the cluster has everything; not for long when told to stop.

        Raises:
            Rejected: the client goes no further.
        """
        deadline: float | None = None
        for left in self._flushing():
            if self._stop.is_set():
                deadline = deadline or time.monotonic() + _LAST_SECONDS
                if time.monotonic() >= deadline:
                    self.undelivered += left
                    break
        if self._failure is not None:
            log.error("Kafka refused messages, the last because: %s", self._failure.str())

    def _flushing(self) -> Iterator[int]:
        """How many messages are not yet with the cluster, again and again, until there are none."""
        while left := self._flush():
            self.serve()
            yield left
        self.serve()

    def _flush(self) -> int:
        with _hopeful():
            return self._producer.flush(_RETRY_SECONDS)

    def _has_room(self, count: int) -> bool:
        """Wait until so many fit into the queue: of a batch that fits in part, a later one could get in earlier."""
        while len(self._producer) + count > MOST_QUEUED:
            if self._stop.is_set():
                return False
            self.serve(_FULL_QUEUE_SECONDS)
        return True

    def _produce(self, topic: str, messages: list[dict[str, Any]]) -> None:
        with _hopeful():
            queued = self._producer.produce_batch(self._prefix + topic, messages)
        if queued < len(messages):
            raise _hopeless(next(message["_error"] for message in messages if "_error" in message))

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failure = error
            self.undelivered += 1


@contextmanager
def _hopeful() -> Iterator[None]:
    try:
        with whole_errors():
            yield
    except KafkaException as error:
        raise _hopeless(error.args[0]) from error
    except Retryable as error:
        raise _hopeless(error) from error


def _hopeless(error: object) -> Rejected:
    why = error.str() if isinstance(error, KafkaError) else error
    return Rejected(f"Kafka takes no more from this producer ({why}); start it anew.")


def _tell_once(text: str, told: str) -> str:
    """Log a text that differs from the last one; the text."""
    if text != told:
        log.warning("%s", text)
    return text
