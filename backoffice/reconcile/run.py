"""One reconciliation of Kafka with Postgres, up to the stored offsets, while the workers go on."""

import json
import math
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS, dead_letter_topic
from backoffice.contracts.registry import Registry
from backoffice.kernel.clock import Clock
from backoffice.kernel.errors import Retryable

from .beside import beside
from .checker import Checker
from .differences import Findings
from .log import Log, Slice
from .models import Run
from .plan import STEP, Place, Plan, Position, everything, gaps, is_inexact, positions
from .reading import Readers
from .telling import tell
from .transactions import advance, forget_unchecked, snapshot

# Any number that nothing else locks: two runs would add to the same tallies.
ADVISORY_LOCK = 7_011_846_102
LEDGER = frozenset({"wallet-transactions"})


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


def reconcile(*, full: bool, seed: int | None, clock: Clock, step: int = STEP, alone_up_to: float = math.inf) -> Report:
    """Compare, and keep what was found. ``step`` is how many messages of an incremental run go into one transaction.

    Where more than ``alone_up_to`` messages are new, a process beside this one takes the ledger's topic, which is as
    much work as all others together.

    Raises:
        Busy: another run is under way.
        Retryable: Kafka, Postgres or the registry is away; what steps before that found is kept and told.
    """
    started = clock.now()
    seed = int(started.timestamp()) if seed is None else seed
    run = Run(started_at=started, full=full, seed=seed)
    with _in_words(), _alone():
        if not full and _news() > alone_up_to:
            return _in_two(clock, run, step)
        with Log(settings.KAFKA, settings.KAFKA_TOPIC_PREFIX) as log:
            running = _Running(log, clock, run)
            running.in_full() if full else running.through(Plan(random.Random(seed), step))
    return running.report()


def _news() -> int:
    """How many messages no run has checked yet."""
    with Log(settings.KAFKA, settings.KAFKA_TOPIC_PREFIX) as log, connection.cursor() as cursor:
        return sum(position.end - position.start for position in positions(cursor, log))


def _in_two(clock: Clock, run: Run, step: int) -> Report:
    """The run, with a process of its own for the ledger's topic."""

    def ledger() -> tuple[Findings, Counter[str]]:
        with _in_words(), Log(settings.KAFKA, settings.KAFKA_TOPIC_PREFIX) as log:
            share = _Running(log, clock, run, LEDGER, is_beside=True)
            share.through(Plan(random.Random(run.seed), step))
            return share.findings, share.checked

    with beside(ledger) as result:
        with Log(settings.KAFKA, settings.KAFKA_TOPIC_PREFIX) as log:
            running = _Running(log, clock, run, frozenset(TOPICS) - LEDGER)
            running.through(Plan(random.Random(run.seed), step))
        running.take_in(*result())
    return running.report()


class _Running:
    """One run on its way. Each step is a transaction, with a snapshot of its own, that also keeps what it found."""

    def __init__(
        self, log: Log, clock: Clock, run: Run, topics: frozenset[str] = frozenset(TOPICS), *, is_beside: bool = False
    ) -> None:
        self._log, self._clock, self._run = log, clock, run
        self._topics, self._is_beside = topics, is_beside
        self._began = time.monotonic()
        self.findings = Findings()
        self.checked: Counter[str] = Counter()
        self._readers = Readers(Registry(settings.SCHEMA_REGISTRY_URL, settings.KAFKA_TOPIC_PREFIX))

    def in_full(self) -> None:
        with snapshot(full=True) as cursor:
            read = positions(cursor, self._log)
            checker = self._checker(cursor, _twins(self._log, read))
            checker.inexact = [position.place for position in read if is_inexact(position, full=True)]
            self._examine(checker, read, everything(read))
            checker.finish()
            self._keep(0)

    def through(self, plan: Plan) -> None:
        while not plan.is_done:
            self._on(plan)

    def take_in(self, findings: Findings, checked: Counter[str]) -> None:
        """What a process beside this one found and told."""
        self.findings.merge(findings)
        self.checked.update(checked)
        self._keep(len(self.findings.listed))

    def _on(self, plan: Plan) -> None:
        """The plan's next step."""
        told = len(self.findings.listed)
        with snapshot(full=False) as cursor:
            read = positions(cursor, self._log)
            was_caught_up = plan.has_caught_up
            slices = plan.next([position for position in read if position.topic in self._topics])
            ends = {part.key: part.end for part in slices if part.is_new}
            forget_unchecked(cursor, [position for position in read if position.key in ends])
            checker = self._checker(cursor, {})
            checker.inexact = [position.place for position in read if is_inexact(position, full=False)]
            checker.behind = [position.place for position in read if self._is_behind(position, ends)]
            self._examine(checker, read, slices)
            checker.finish()
            if plan.has_caught_up and not was_caught_up:
                checker.check_older(plan.rng)
            advance(read, ends, self._clock.now())
            self._keep(told)

    def _is_behind(self, position: Position, ends: Mapping[Place, int]) -> bool:
        """Whether more of it is stored than is read with this step, or another process is reading it."""
        if position.topic not in self._topics:
            return True
        return ends.get(position.key, position.checked.next if position.checked else 0) < position.end

    def report(self) -> Report:
        seconds = round(time.monotonic() - self._began, 3)
        run = self._run
        return Report(run.is_clean, run.full, run.checked, seconds, run.total, run.differences)

    def _checker(self, cursor: CursorWrapper, twins: dict[str, set[tuple[str, ...]]]) -> Checker:
        run = self._run
        return Checker(
            cursor, self._readers, self.findings, run.started_at, run.full, twins, self.checked, inexact=[], behind=[]
        )

    def _examine(self, checker: Checker, read: list[Position], slices: list[Slice]) -> None:
        at = {position.key: position for position in read}
        for position in read:
            self.checked[position.topic] += 0
        for part in slices:
            position = at[part.key]
            if part.is_new:
                for gap in gaps(position, full=self._run.full):
                    self.findings.add(gap)
            for chunk in self._log.chunks(part):
                checker.examine(chunk)
            if part.is_new:
                checker.check_beyond(part, position.following)

    def _keep(self, told: int) -> None:
        """The run as it stands, and what this step added to the ``told`` findings before it."""
        now, found, run = self._clock.now(), self.findings, self._run
        tell(found.listed[told:], now)
        if self._is_beside:
            return
        differences = [difference.as_json() for difference in found.listed]
        run.finished_at, run.is_clean, run.total = now, not found.total, found.total
        run.checked = dict(sorted(self.checked.items()))
        run.differences = json.loads(json.dumps(differences, default=str))
        run.save()


def _twins(log: Log, read: list[Position]) -> dict[str, set[tuple[str, ...]]]:
    streams = {position.topic: position.stream for position in read}
    return {topic: log.twins(dead_letter_topic(topic), stream) for topic, stream in streams.items()}


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
