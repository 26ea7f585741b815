"""A spine that is loaded once with events of every kind, bad messages and repeats; each test gets its tables anew."""

import io
import json
import random
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from confluent_kafka import Message
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.reconcile.messages import log
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.garbage import KINDS, bad_message
from backoffice.simulator.generator import generate
from backoffice.streams.consume import intake, logtimes
from tests import databases
from tests.feedruns import with_runs
from tests.spine import Spine

AHEAD = 3_600_000  # milliseconds
START = datetime(2026, 3, 1, tzinfo=UTC)
Told = dict[str, Any]
Reconcile = Callable[..., tuple[int, Told]]
Tamper = Callable[..., list[tuple[Any, ...]]]
RECONCILES = tuple(
    f"reconcile_{name}"
    for name in ("checked", "run", "finding", "windowtally", "balancetally", "statetally", "walk", "highwater", "rest")
)


def events_of(number: int, seed: int = 11, start: datetime = START) -> list[Event]:
    made = generate(seed=seed, start=start, events=number, step=timedelta(milliseconds=50), players=40)
    return list(with_runs(made))


def garbage(spine: Spine) -> None:
    """Each kind of bad message thrice."""
    ids = {record: spine.registry.register(record) for topic in TOPICS.values() for record in topic.records}
    rng = random.Random(5)
    bad = [bad_message(kind, rng, ids, at=START) for kind in KINDS * 3]
    for topic in sorted({message.topic for message in bad}):
        spine.send_bytes(topic, [message.value for message in bad if message.topic == topic])


def again(events: list[Event]) -> list[Event]:
    """What may be sent twice: a market's version is no event that would be stored once more."""
    return [event for event in events if topic_of(event.record) not in ("odds-feed", "market-prices")]


@pytest.fixture(scope="package")
def loaded_once(template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Spine]:
    """Events of every kind, bad messages and repeats; half of them were reconciled before the rest came.

    Its topics are never written to again, and its tables are as they were before each test.
    """
    url, name = settings.DATABASE_URL, f"loaded_{uuid4().hex}"
    with databases.administration(url) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    with django_db_blocker.unblock(), Spine.on_servers(name) as spine:
        with databases.default_database(databases.beside(url, name)):
            events = events_of(2_700)
            half = len(events) // 2
            spine.send(events[:half])
            spine.drain()
            call_command("reconcile", stdout=io.StringIO())
            garbage(spine)
            spine.send([*events[half:], *again(events[:400])])
            spine.drain()
        keep(spine, *RECONCILES)
        yield spine
    with databases.administration(url) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def continued(loaded_once: Spine, django_db_blocker: DjangoDbBlocker) -> Iterator[Spine]:
    """All is stored, and a run has checked the first half. What the test and its runs change is undone."""
    with django_db_blocker.unblock(), databases.default_database(loaded_once.database_url):
        yield loaded_once
    with replica(loaded_once) as connection:
        connection.execute("DELETE FROM streams_outbox WHERE record = 'ComplianceAlert'")
    undo(loaded_once, RECONCILES)


@pytest.fixture
def loaded(continued: Spine) -> Spine:
    """All is stored, and no run has checked anything."""
    changed(
        continued,
        f"TRUNCATE {', '.join(RECONCILES)}",
    )
    return continued


@pytest.fixture
def meddle(continued: Spine) -> Tamper:
    return partial(changed, continued)


@pytest.fixture
def whole_rounds() -> Iterator[None]:
    """Each run by the clock is a round."""
    with override_settings(RECONCILE=settings.RECONCILE | {"messages_at_least": 100_000, "rows_at_least": 100_000}):
        yield


@pytest.fixture
def one_broker_was_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """It took the first message of each partition at a time of its own; no clock of a machine is to be set for that.

    Both readers of the log get that time from where they get it else.
    """
    logged, appended = log._logged, logtimes.appended

    def ahead(message: Message, at: int) -> int:
        is_first = str(message.topic()).partition(".")[2] in TOPICS and message.offset() == 0
        return at + AHEAD if at and is_first else at

    def all_appended(messages: list[Message]) -> object:
        times = appended(messages)
        for number, message in enumerate(messages):
            times[number] = ahead(message, int(times[number]))
        return times

    monkeypatch.setattr(log, "_logged", lambda message: ahead(message, logged(message)))
    monkeypatch.setattr(intake, "appended", all_appended)


@pytest.fixture
def reconcile() -> Reconcile:
    def run(*arguments: str) -> tuple[int, Told]:
        output = io.StringIO()
        try:
            call_command("reconcile", *arguments, stdout=output)
        except SystemExit as end:
            return int(str(end.code)), json.loads(output.getvalue())
        return 0, json.loads(output.getvalue())

    return run


@pytest.fixture
def tamper(loaded: Spine) -> Tamper:
    return partial(changed, loaded)


@contextmanager
def replica(spine: Spine) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection for which the triggers that keep tables append-only are out of the way."""
    with psycopg.connect(spine.database_url) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


def stored_columns(connection: psycopg.Connection[tuple[Any, ...]], table: str) -> list[str]:
    """Those of its columns that are not generated of others."""
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = ''",
        [f"public.{table}"],
    )
    return [str(name) for (name,) in rows]


def columns_of(spine: Spine, table: str) -> list[str]:
    """Those of its columns that a row can be copied by."""
    with replica(spine) as connection:
        return stored_columns(connection, table)


def keep(spine: Spine, *tables: str) -> None:
    """Remember what the tables hold."""
    with replica(spine) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS kept")
        for table in tables:
            connection.execute(f"CREATE TABLE IF NOT EXISTS kept.{table} AS TABLE public.{table}")


def undo(spine: Spine, still_kept: Collection[str] = ()) -> None:
    """Give the tables back what they held, and forget it but for those that are still kept."""
    with replica(spine) as connection:
        for (table,) in connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 'kept'::regnamespace"):
            connection.execute(f"DELETE FROM public.{table}")
            listed = ", ".join(f'"{name}"' for name in stored_columns(connection, table))
            connection.execute(
                f"INSERT INTO public.{table} ({listed}) OVERRIDING SYSTEM VALUE SELECT {listed} FROM kept.{table}"
            )
            if table not in still_kept:
                connection.execute(f"DROP TABLE kept.{table}")


def changed(spine: Spine, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run a statement behind the streams' back; `continued` undoes it."""
    keep(spine, *re.findall(r"^(?:DELETE FROM|UPDATE|INSERT INTO) (\w+)", statement))
    with replica(spine) as connection:
        cursor = connection.execute(statement, parameters or None)
        assert cursor.rowcount != 0, "the statement changed nothing"
        return cursor.fetchall() if cursor.description else []
