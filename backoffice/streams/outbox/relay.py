"""The outbox to Kafka: at least once, under the event's own id, in order for each key."""

import logging
import threading

from confluent_kafka import KafkaException, Message, Producer

from backoffice.contracts.codec import frame
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Rejected, Retryable

from .. import telemetry
from ..database import Connection, connect, retryable
from ..kafka.clients import producer
from ..patience import back_off
from ..schemas import our_registry

log = logging.getLogger(__name__)

OUTBOX = "outbox"
BATCH = 1_000
IDLE_SECONDS = 0.2
FLUSH_SECONDS = 30.0
# Any number that nothing else locks: one relay works at a time, so that order is kept; the others stand by.
ADVISORY_LOCK = 7_011_846_101

Row = tuple[int, str, bytes | None, bytes | None, str, int | None, dict[str, str]]


class Relay(threading.Thread):
    """Sends what the outbox holds, marks it sent once Kafka has acknowledged it, and again if it died in between."""

    def __init__(self, stopping: threading.Event) -> None:
        super().__init__(name="relay-outbox", daemon=True)
        self._stopping = stopping

    def run(self) -> None:
        for _ in back_off(self._stopping):
            try:
                self._relay()
            except (Retryable, KafkaException) as error:
                log.warning("outbox waits: %s", error)
            except Exception:
                log.exception("outbox failed; it starts again with what is not sent")

    def _relay(self) -> None:
        from django.conf import settings

        registry = our_registry()
        sender = producer(settings.KAFKA)
        with retryable(), connect() as connection:
            while not self._stopping.is_set() and not _locked(connection):
                self._stopping.wait(1.0)
            while not self._stopping.is_set():
                if not relay_once(connection, sender, registry, settings.KAFKA_TOPIC_PREFIX):
                    self._stopping.wait(IDLE_SECONDS)


def relay_once(connection: Connection, sender: Producer, registry: Registry, prefix: str) -> int:
    """Send the oldest unsent messages and mark them; returns how many.

    Raises:
        Retryable: Kafka or the registry did not take them all; those not marked are sent again.
    """
    rows = _unsent(connection)
    acknowledged: list[int] = []
    for row in rows:
        _send(sender, registry, prefix, row, acknowledged)
    left = sender.flush(FLUSH_SECONDS)
    if acknowledged:
        connection.execute("UPDATE streams_outbox SET sent_at = now() WHERE id = ANY(%s)", [acknowledged])
    if left or len(acknowledged) < len(rows):
        sender.purge()
        raise Retryable(f"Kafka took {len(acknowledged)} of {len(rows)} messages.")
    return len(rows)


def _send(sender: Producer, registry: Registry, prefix: str, row: Row, acknowledged: list[int]) -> None:
    number, topic, key, value, record, version, headers = row

    def delivered(error: object, _: Message) -> None:
        if error is None:
            acknowledged.append(number)
            telemetry.RELAYED.labels(topic).inc()
        else:
            log.warning("outbox: %s is not delivered to %s yet: %s", number, topic, error)

    if record and value is not None:
        value = frame(_schema_id(registry, record, version), value)
    sender.produce(
        f"{prefix}{topic}", key=key, value=value, headers=list(headers.items()), on_delivery=delivered
    )  # fmt: skip
    sender.poll(0)


def _schema_id(registry: Registry, record: str, version: int | None) -> int:
    try:
        return registry.register_version(record, version)
    except Rejected as error:
        raise Retryable(f"The registry does not take {record}: {error}") from error


def _unsent(connection: Connection) -> list[Row]:
    rows = connection.execute(
        "SELECT id, topic, key, value, record, schema_version, headers FROM streams_outbox"
        " WHERE sent_at IS NULL ORDER BY id LIMIT %s",
        [BATCH],
    )
    return rows.fetchall()  # type: ignore[return-value]


def _locked(connection: Connection) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK]).fetchone()
    return bool(row and row[0])
