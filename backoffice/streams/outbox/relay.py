"""The outbox to Kafka: at least once, under the event's own id, in the order of commits for each key."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Self

from confluent_kafka import KafkaException
from psycopg import sql

from backoffice.kernel import locks
from backoffice.kernel.clock import Clock
from backoffice.kernel.errors import Retryable

from ..clocks import WorkersClock
from ..database import OUTBOX_SESSION, Connection, connect, retryable
from ..kafka.clients import producer, whole_errors
from ..kafka.writing import refusals
from ..patience import back_off
from ..schemas import our_registry
from . import waiting
from .delivery import Delivery, Verdicts
from .outdated import current
from .stuck import tell_of_stuck
from .transactions import as_the_only_relay
from .waiting import Waiting

log = logging.getLogger(__name__)

OUTBOX = "outbox"
IDLE_SECONDS = 0.2
TURN_SECONDS = 1.0
STUCK_EVERY_SECONDS = 10.0
# In a transaction a relay may leave half of a statement unsaid for so many times as long as it may be silent.
TOO_LONG = 3


@dataclass(frozen=True)
class Limits:
    """When a message that cannot be sent is tried again (at first, at most), and when it is stuck.

    A relay of which Postgres hears nothing for ``replaced_after`` loses its turn to another.
    """

    first_retry: timedelta
    longest_retry: timedelta
    stuck_after: timedelta
    replaced_after: timedelta

    @classmethod
    def configured(cls) -> Self:
        from django.conf import settings

        return cls(**{name: timedelta(seconds=seconds) for name, seconds in settings.OUTBOX.items()})

    def again_at(self, attempts: int, now: datetime) -> datetime:
        """Twice as long after each attempt that failed."""
        wait: timedelta = min(self.longest_retry, self.first_retry * 2 ** min(attempts, 20))
        return now + wait


class Relay(threading.Thread):
    """Sends what the outbox holds, marks it sent once Kafka has acknowledged it, and again if it died in between."""

    def __init__(self, stopping: threading.Event) -> None:
        super().__init__(name="relay-outbox", daemon=True)
        self._stopping = stopping

    def run(self) -> None:
        for _ in back_off(self._stopping):
            try:
                with whole_errors():
                    self._relay()
            except (Retryable, KafkaException) as error:
                log.warning("outbox waits: %s", error)
            except BaseException:
                # A panic of a library is no Exception; a relay that ended with one would be silent for ever.
                log.exception("outbox failed; it starts again with what is not sent")

    def _relay(self) -> None:
        from django.conf import settings

        prefix = settings.KAFKA_TOPIC_PREFIX
        make = partial(producer, settings.KAFKA | as_the_only_relay(prefix))
        delivery = Delivery(make, partial(refusals, settings.KAFKA), our_registry(), prefix, stopping=self._stopping)
        clock, limits, next_look = WorkersClock(), Limits.configured(), 0.0
        with session(limits) as connection:
            self._wait_for_its_turn(connection)
            if not self._stopping.is_set():
                delivery.claim()
            while not self._stopping.is_set():
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + STUCK_EVERY_SECONDS
                    tell_of_stuck(connection, limits.stuck_after, clock.now())
                delivery.listen()
                if not relay_once(connection, delivery, clock, limits):
                    self._stopping.wait(IDLE_SECONDS)

    def _wait_for_its_turn(self, connection: Connection) -> None:
        stands_by = False
        while not self._stopping.is_set():
            if _locked(connection):
                log.info("outbox: this relay sends from now on")
                return
            if not stands_by:
                stands_by = True
                log.info("outbox: another relay is at work; this one stands by")
            self._stopping.wait(TURN_SECONDS)


@contextmanager
def session(limits: Limits) -> Iterator[Connection]:
    """A relay's session, with which its lock ends.

    A process that is stopped keeps its connections, and its machine answers for it. So Postgres itself ends the session
    of a relay that says nothing, within a transaction or not; one that lives says something all the while. One that was
    stopped with half of a statement sent is not silent to Postgres: its transaction takes too long.
    """
    silent = limits.replaced_after // timedelta(milliseconds=1)
    bounds = {"idle_session_timeout": silent, "idle_in_transaction_session_timeout": silent}
    with connect(name=OUTBOX_SESSION) as connection:
        for name, milliseconds in bounds.items():
            connection.execute(sql.SQL("SET {} = {}").format(sql.Identifier(name), milliseconds))
        _still_alone(connection, limits)
        try:
            with retryable():
                yield connection
        except Retryable as error:
            if not connection.closed:
                raise
            why = str(error).partition("\n")[0]
            raise Retryable(
                f"this relay has lost its session with Postgres, and its turn with it ({why}); it sends nothing more"
                " until it is its turn again"
            ) from error


def relay_once(connection: Connection, delivery: Delivery, clock: Clock, limits: Limits) -> int:
    """Send a batch of what is due again and one of what is ready; returns how many messages changed their state.

    Raises:
        Retryable: Kafka is away; what it did not acknowledge is sent again.
    """
    with connection.transaction():
        waiting.release(connection, clock.now(), limits.longest_retry)
    with _to_the_end(connection):
        due = waiting.due(connection, clock.now(), limits.longest_retry)
        changed = _send(connection, delivery, due, clock, limits)
    with _to_the_end(connection):
        ready, behind = waiting.ready(connection, clock.now())
        return changed + behind + _send(connection, delivery, ready, clock, limits)


@contextmanager
def _to_the_end(connection: Connection) -> Iterator[None]:
    """What is sent within stays locked until it is noted what has become of it; a person who wants it waits for that.

    What was noted holds whatever came after.
    """
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("COMMIT")


def _send(connection: Connection, delivery: Delivery, found: list[Waiting], clock: Clock, limits: Limits) -> int:
    """Returns how many messages changed their state."""
    rows = current(connection, found, clock.now())
    verdicts = Verdicts(rows)
    try:
        if rows:
            delivery.send(rows, verdicts, partial(_still_alone, connection, limits))
    finally:
        if not connection.closed:
            # Not in a savepoint: what one transaction locks and another within it changes costs Postgres a third one.
            _note(connection, rows, verdicts, clock.now(), limits)
    return verdicts.known + len(found) - len(rows)


def _note(connection: Connection, rows: list[Waiting], verdicts: Verdicts, now: datetime, limits: Limits) -> None:
    if verdicts.acknowledged:
        waiting.note_sent(connection, verdicts.acknowledged, now)
        sent = [row for row in rows if row.is_held and not row.holds_topic and row.id in verdicts.acknowledged]
        waiting.let_go_on(connection, {row.key_hash: row.id for row in sent}, now)
    failed = [(row, verdicts.failed[row.id]) for row in rows if row.id in verdicts.failed]
    for row, reason in failed:
        waiting.note_failed(connection, row.id, reason, limits.again_at(row.attempts, now), now)
    waiting.hold(connection, verdicts.behind, now)
    for row, _ in failed:
        if row.id in verdicts.holding and not row.holds_topic:
            waiting.hold_topic(connection, row.id, row.topic)
        elif row.holds_topic and row.id not in verdicts.holding:
            # What is wrong with it is no longer, or is not only, its topic.
            waiting.hand_on(connection, row.id, row.topic, now)
    _tell(failed, verdicts.holding)


def _tell(failed: list[tuple[Waiting, str]], holding: Collection[int]) -> None:
    """A line for all that is held of a topic for one reason."""
    told: defaultdict[tuple[str, str, bool], list[int]] = defaultdict(list)
    for row, reason in failed:
        told[row.topic, reason, row.id in holding].append(row.id)
    for (topic, reason, is_whole), (first, *others) in told.items():
        if is_whole:
            log.warning("outbox: all of %s is held behind message %s: %s", topic, first, reason)
        else:
            more = f" and {len(others):,} more" if others else ""
            log.warning("outbox: message %s%s to %s held: %s", first, more, topic, reason)


def _still_alone(connection: Connection, limits: Limits) -> None:
    """The lock lives as long as the session does, and the session as long as it is heard of.

    A transaction in which topic after topic does not acknowledge takes minutes: its time begins anew with each word.
    """
    milliseconds = TOO_LONG * limits.replaced_after // timedelta(milliseconds=1)
    with retryable():
        connection.execute(f"SET transaction_timeout = 0; SET transaction_timeout = {milliseconds:d}".encode())


def _locked(connection: Connection) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [locks.RELAY]).fetchone()
    return bool(row and row[0])
