"""One reconciliation of Kafka with Postgres, up to the stored offsets, while the workers go on."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confluent_kafka import KafkaException
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import dead_letter_topic
from backoffice.contracts.registry import Registry
from backoffice.kernel.clock import Clock
from backoffice.kernel.errors import Retryable
from backoffice.streams.outbox import emit

from .checker import Checker
from .differences import Difference, Findings
from .log import Log
from .models import Checked, Finding, Run
from .plan import Position, gaps, is_inexact, positions, slices
from .reading import Readers

# Any number that nothing else locks: two runs would add to the same tallies.
ADVISORY_LOCK = 7_011_846_102
ALERT = "ComplianceAlert"


class Busy(Exception):  # noqa: N818 - not an error: another run does the work
    """Another reconciliation is under way."""


@dataclass(frozen=True)
class Report:
    clean: bool
    full: bool
    checked: dict[str, int]
    seconds: float
    total: int
    differences: list[dict[str, Any]]

    def line(self) -> str:
        told: dict[str, Any] = {
            "clean": self.clean,
            "full": self.full,
            "checked": self.checked,
            "seconds": self.seconds,
        }
        if not self.clean:
            told |= {"total": self.total, "differences": self.differences}
        return json.dumps(told, default=str)


def reconcile(*, full: bool, seed: int | None, clock: Clock) -> Report:
    """Compare, and keep what was found.

    Raises:
        Busy: another run is under way.
        Retryable: Kafka, Postgres or the registry is away; nothing was kept.
    """
    started, began = clock.now(), time.monotonic()
    seed = int(started.timestamp()) if seed is None else seed
    with _in_words(), _alone(), transaction.atomic(), connection.cursor() as cursor:
        _snapshot(cursor, full=full)
        with Log(settings.KAFKA, settings.KAFKA_TOPIC_PREFIX) as log:
            checker, read = _compare(cursor, log, full=full, seed=seed, now=started)
        finished = clock.now()
        findings = checker.findings
        report = Report(
            not findings.total, full, dict(sorted(checker.checked.items())), round(time.monotonic() - began, 3),
            findings.total, [difference.as_json() for difference in findings.listed],
        )  # fmt: skip
        if not full:
            _advance(read, finished)
        _tell(findings, finished)
        Run.objects.create(
            started_at=started, finished_at=finished, full=full, seed=seed, clean=report.clean, checked=report.checked,
            total=report.total, differences=json.loads(json.dumps(report.differences, default=str)),
        )  # fmt: skip
    return report


def _compare(
    cursor: CursorWrapper, log: Log, *, full: bool, seed: int, now: datetime
) -> tuple[Checker, list[Position]]:
    rng = random.Random(seed)
    read = positions(cursor, log)
    registry = Registry(settings.SCHEMA_REGISTRY_URL, settings.KAFKA_TOPIC_PREFIX)
    twins = _twins(log, read) if full else {}
    checker = Checker(cursor, Readers(registry), Findings(), now, full, twins)
    checker.inexact = {position.place for position in read if is_inexact(position, full=full)}
    checker.checked = Counter({position.topic: 0 for position in read})
    if not full:
        _forget_unchecked(cursor, read)
    for position in read:
        for gap in gaps(position, full=full):
            checker.findings.add(gap)
        for place in slices(position, full=full, rng=rng):
            for chunk in log.chunks(place):
                checker.examine(chunk)
            if place.is_new:
                checker.check_beyond(place, position.following)
    checker.finish(rng)
    return checker, read


def _twins(log: Log, read: list[Position]) -> dict[str, set[tuple[str, ...]]]:
    streams = {position.topic: position.stream for position in read}
    return {topic: log.twins(dead_letter_topic(topic), stream) for topic, stream in streams.items()}


def _snapshot(cursor: CursorWrapper, *, full: bool) -> None:
    """Offsets and rows as they stand at one moment, whatever is committed from here on."""
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    cursor.execute("SET LOCAL enable_partitionwise_join = on")
    if not full:
        # Ranges of offsets are small beside their tables; an estimate that is off must not read all of these.
        cursor.execute("SET LOCAL enable_hashjoin = off")
        cursor.execute("SET LOCAL enable_mergejoin = off")


def _forget_unchecked(cursor: CursorWrapper, read: list[Position]) -> None:
    """Where nothing is known to be checked, the tallies begin anew."""
    for position in read:
        if position.checked is None:
            place = [position.topic, position.partition]
            cursor.execute("DELETE FROM reconcile_windowtally WHERE topic = %s AND partition = %s", place)
            if position.topic == "wallet-transactions":
                cursor.execute("DELETE FROM reconcile_balancetally WHERE partition = %s", place[1:])


def _advance(read: list[Position], now: datetime) -> None:
    Checked.objects.bulk_create(
        [
            Checked(
                stream=position.stream.name, topic=position.topic, partition=position.partition, since=position.since,
                next=position.end, checked_at=now,
            )
            for position in read
        ],
        update_conflicts=True,
        unique_fields=["stream", "topic", "partition"],
        update_fields=["since", "next", "checked_at"],
    )  # fmt: skip


def _tell(findings: Findings, now: datetime) -> None:
    """An alert for each finding that was never told before."""
    for difference in findings.listed:
        found, is_new = Finding.objects.get_or_create(
            id=difference.fingerprint(),
            defaults={
                "difference": json.loads(json.dumps(difference.as_json(), default=str)),
                "first_seen_at": now,
                "last_seen_at": now,
            },
        )
        if is_new:
            emit(ALERT, _alert(difference, now), key="all", now=now)
        else:
            Finding.objects.filter(pk=found.pk).update(last_seen_at=now)


def _alert(difference: Difference, now: datetime) -> dict[str, Any]:
    finding = str(difference.fingerprint())
    at = f"{difference.topic}[{difference.partition}] {difference.record} {difference.offsets or difference.where}"
    return {
        "event_id": finding, "occurred_at": now, "brand": "all", "jurisdiction": "MT", "alert_id": finding,
        "player_id": None, "kind": "reconcile_difference", "severity": "critical", "queue": "platform",
        "status": "opened", "rule": f"reconcile_{difference.check}", "rule_version": 1,
        "summary": f"{at}: {difference.says}"[:1000],
        "evidence": json.dumps(difference.as_json(), default=str)[:100_000],
    }  # fmt: skip


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of reconciliation, outside the transaction: its snapshot must follow the last run's commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK])
        if not cursor.fetchone()[0]:
            raise Busy("Another reconciliation is under way; its report follows.")
    try:
        yield
    finally:
        # A connection that broke has given the lock back by itself.
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise Retryable(f"Postgres is away: {_first_line(error)}") from error
    except KafkaException as error:
        raise Retryable(f"Kafka is away: {error.args[0].str()}") from error


def _first_line(error: DatabaseError | InterfaceError) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
