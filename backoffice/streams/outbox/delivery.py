"""A batch of the outbox to Kafka, with a verdict for each message: acknowledged, failed and why, or behind one.

The batch goes at full speed first. Its producer stops rather than leave a gap, so that of the messages of a key never a
later one arrives without those before it. What was not acknowledged then goes one by one, so that none is blamed for
what another did to its batch.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from backoffice.contracts.codec import frame
from backoffice.contracts.definitions import released
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Rejected, Retryable

from .. import telemetry
from .waiting import Waiting

log = logging.getLogger(__name__)

ASK_SECONDS = 5.0
# After so many messages of one topic that failed alike the others are not tried in that round.
ALIKE = 3

# What makes the producer's promise: in order and without a gap, or not at all. How long it tries is decided here.
IN_ORDER = {"enable.gapless.guarantee": "true", "delivery.timeout.ms": "0", "log_level": "3"}

Report = Callable[[KafkaError | None, Message], None]
_Schema = tuple[str, int | None]
_REGISTRY: _Schema = ("", None)


@dataclass
class Verdicts:
    """What is known of a batch so far; ``failed`` says why, ``behind`` are those that wait for a failed one."""

    acknowledged: set[int] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)
    behind: set[int] = field(default_factory=set)
    _held: set[int] = field(default_factory=set)

    def fail(self, row: Waiting, reason: str) -> None:
        self.failed[row.id] = reason
        self._held.add(row.key_hash)

    def is_open(self, row: Waiting) -> bool:
        """Whether the message is still to be sent; notes it as behind where its key is held."""
        if row.id in self.acknowledged or row.id in self.failed:
            return False
        if row.key_hash in self._held:
            self.behind.add(row.id)
            return False
        return True


class Delivery:
    """Sends batches; holds the producer, and makes a new one where the old one has stopped.

    Kafka has ``batch_seconds`` to acknowledge a batch, and ``alone_seconds`` for a message alone.
    """

    def __init__(
        self,
        make: Callable[[], Producer],
        registry: Registry,
        prefix: str,
        *,
        stopping: threading.Event | None = None,
        batch_seconds: float = 30.0,
        alone_seconds: float = 10.0,
    ) -> None:
        self._make = make
        self._registry = registry
        self._prefix = prefix
        self._stopping = stopping or threading.Event()
        self._batch_seconds = batch_seconds
        self._alone_seconds = alone_seconds
        self._producer: Producer | None = None
        self._topics: Collection[str] = ()
        self._ids: dict[_Schema, int] = {}
        self._problems: dict[_Schema, Rejected | Retryable] = {}

    def send(self, rows: Sequence[Waiting], verdicts: Verdicts) -> None:
        """Send the messages, and note what becomes of each as soon as that is known.

        Raises:
            Retryable: Kafka is away, or the relay is to end; what has no verdict was perhaps sent, and is sent again.
        """
        self._problems.clear()
        try:
            self._refuse_unknown_topics(rows, verdicts)
            if not self._at_full_speed(rows, verdicts):
                self._one_by_one(rows, verdicts)
        finally:
            self._listen()

    def _refuse_unknown_topics(self, rows: Sequence[Waiting], verdicts: Verdicts) -> None:
        """Kafka's client would wait for such a topic to be made, and all else behind it."""
        if all(f"{self._prefix}{row.topic}" in self._topics for row in rows):
            return
        self._topics = self._ask_for_topics()
        for row in rows:
            if f"{self._prefix}{row.topic}" not in self._topics and verdicts.is_open(row):
                verdicts.fail(
                    row, f"Kafka has no topic {self._prefix}{row.topic}; `manage.py topics` makes those of ours"
                )

    def _at_full_speed(self, rows: Sequence[Waiting], verdicts: Verdicts) -> bool:
        """Whether every message has a verdict now."""
        try:
            for row in rows:
                if verdicts.is_open(row) and (reason := self._queue(row, verdicts)):
                    verdicts.fail(row, reason)
            self._flush(self._batch_seconds)
        except _StoppedError as stopped:
            log.info("outbox: some messages go one by one: %s", stopped)
        open_rows = [row for row in rows if verdicts.is_open(row)]
        if open_rows:
            self._start_anew()
        return not open_rows

    def _one_by_one(self, rows: Sequence[Waiting], verdicts: Verdicts) -> None:
        alike: Counter[tuple[str, str]] = Counter()
        last: dict[str, str] = {}
        for row in rows:
            if verdicts.is_open(row):
                reason = last.get(row.topic, "")
                if alike[row.topic, reason] < ALIKE:
                    reason = self._alone(row, verdicts)
                if reason:
                    last[row.topic] = reason
                    alike[row.topic, reason] += 1
                    verdicts.fail(row, reason)

    def _alone(self, row: Waiting, verdicts: Verdicts) -> str:
        """Why the message could not be sent; empty where it was."""
        refused: list[str] = []
        try:
            if reason := self._queue(row, verdicts, refused):
                return reason
            self._flush(self._alone_seconds)
        except _SilentError as silent:
            log.info("outbox: message %s to %s: %s", row.id, row.topic, silent)
        except _StoppedError as stopped:
            refused.append(str(stopped))
        if row.id in verdicts.acknowledged:
            return ""
        # Said before what it has is thrown away, which would be a reason too.
        reason = refused[0] if refused else f"Kafka did not acknowledge it within {self._alone_seconds:.0f} s"
        self._start_anew()
        if not refused:
            self._ask_for_topics()  # raises where all of Kafka is away, and not only what this message needs
        return reason

    def _queue(self, row: Waiting, verdicts: Verdicts, refused: list[str] | None = None) -> str:
        """Hand a message to the producer; what Kafka says of it goes to the verdicts, or to ``refused``.

        Returns why that cannot be done with this message, whatever the reason; empty where it can.
        """
        try:
            self._produce(row, self._value(row), _reporting(row, verdicts, refused))
        except _StoppedError:
            raise
        except KafkaException as error:
            return str(error.args[0].str())
        except (Rejected, Retryable) as error:
            return str(error)
        except Exception as error:
            log.exception("outbox: message %s to %s cannot be made ready", row.id, row.topic)
            return f"{type(error).__name__}: {error}"
        return ""

    def _produce(self, row: Waiting, value: bytes | None, report: Report) -> None:
        topic = f"{self._prefix}{row.topic}"
        headers: dict[str, str | bytes | None] = dict(row.headers)
        deadline = time.monotonic() + self._batch_seconds
        while True:
            try:
                with _until_it_stops():
                    self._sender().produce(topic, key=row.key, value=value, headers=headers, on_delivery=report)
                    self._sender().poll(0)
            except BufferError:
                with _until_it_stops():
                    self._sender().poll(0.1)
                self._go_on_until(deadline)
            else:
                return

    def _flush(self, seconds: float) -> None:
        """Raises _StoppedError where Kafka has not answered for each message in time."""
        deadline = time.monotonic() + seconds
        with _until_it_stops():
            while self._sender().flush(0.5):
                self._go_on_until(deadline)

    def _go_on_until(self, deadline: float) -> None:
        if self._stopping.is_set():
            raise Retryable("The relay ends; what is not acknowledged yet is sent again.")
        if time.monotonic() > deadline:
            raise _SilentError("Kafka does not acknowledge in time")

    def _value(self, row: Waiting) -> bytes | None:
        if not row.record or row.value is None:
            return row.value
        return frame(self._schema_id(row.record, row.schema_version), row.value)

    def _schema_id(self, record: str, version: int | None) -> int:
        """The registry is asked for each schema once, and no further in a batch in which it was away."""
        schema = (record, version)
        if schema not in self._ids:
            if version is not None and version > (known := len(released(record))):
                raise Rejected(f"This relay knows {known} versions of {record}, not {version}; start a newer one.")
            if problem := self._problems.get(schema) or self._problems.get(_REGISTRY):
                raise problem
            try:
                self._ids[schema] = self._registry.register_version(record, version)
            except Rejected as refused:
                self._problems[schema] = refused
                raise
            except Retryable as away:
                self._problems[_REGISTRY] = away
                raise
        return self._ids[schema]

    def _ask_for_topics(self) -> Collection[str]:
        try:
            return set(self._sender().list_topics(timeout=ASK_SECONDS).topics)
        except KafkaException as error:
            self._start_anew()
            raise Retryable(f"Kafka does not answer: {error.args[0].str()}") from error

    def _sender(self) -> Producer:
        if self._producer is None:
            self._producer = self._make()
        return self._producer

    def _start_anew(self) -> None:
        """Without what the producer still has to send; what it was sure of may not hold any more either."""
        if self._producer is not None:
            self._producer.purge()
            self._listen()
        self._producer, self._topics = None, ()

    def _listen(self) -> None:
        """Hear what Kafka has said of messages until now."""
        if self._producer is not None:
            with suppress(_StoppedError, KafkaException), _until_it_stops():
                self._producer.poll(0)


class _StoppedError(Exception):
    """The producer goes no further with the messages that it has."""


class _SilentError(_StoppedError):
    """Kafka says nothing of them."""


@contextmanager
def _until_it_stops() -> Iterator[None]:
    """A producer whose guarantee cannot be held is of no use any more; all that it is asked says so.

    Before Python 3.12 the client may raise the KafkaError itself, which `except Exception` does not catch.
    """
    try:
        yield
    except KafkaError as error:  # type: ignore[misc]
        raise _StoppedError(error.str()) from None
    except KafkaException as error:
        if error.args[0].fatal() or error.args[0].code() == KafkaError._FATAL:
            raise _StoppedError(error.args[0].str()) from error
        raise


def _reporting(row: Waiting, verdicts: Verdicts, refused: list[str] | None) -> Report:
    def report(error: KafkaError | None, _: Message) -> None:
        if error is None:
            verdicts.acknowledged.add(row.id)
            telemetry.RELAYED.labels(row.topic).inc()
        elif refused is not None:
            refused.append(error.str())

    return report
