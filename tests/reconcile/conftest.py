"""A spine that is loaded with events of every kind, bad messages and repeats, and ways to change a table behind its back."""

import io
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import call_command

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.garbage import KINDS, bad_message
from backoffice.simulator.generator import generate
from tests.spine import Spine

START = datetime(2026, 3, 1, tzinfo=UTC)
Told = dict[str, Any]
Reconcile = Callable[..., tuple[int, Told]]


def events_of(number: int, seed: int = 11, start: datetime = START) -> list[Event]:
    return list(generate(seed=seed, start=start, events=number, step=timedelta(milliseconds=50), players=40))


@pytest.fixture
def loaded(spine: Spine) -> Spine:
    """Events of every kind, a tenth of them sent twice, each kind of garbage thrice; all of it drained."""
    events = events_of(2_500)
    spine.send(events)
    ids = {record: spine.registry.register(record) for topic in TOPICS.values() for record in topic.records}
    rng = random.Random(5)
    garbage = [bad_message(kind, rng, ids, at=START) for kind in KINDS * 3]
    for topic in sorted({bad.topic for bad in garbage}):
        spine.send_bytes(topic, [bad.value for bad in garbage if bad.topic == topic])
    spine.send(event for event in events[:400] if topic_of(event.record) not in ("odds-feed", "market-prices"))
    spine.drain()
    return spine


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
def tamper(loaded: Spine) -> Callable[..., list[tuple[Any, ...]]]:
    """Run a statement with the triggers that keep tables append-only out of the way."""

    def change(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(loaded.database_url) as connection:
            connection.execute("SET session_replication_role = replica")
            cursor = connection.execute(statement, parameters)  # type: ignore[arg-type]
            assert cursor.rowcount > 0, "the statement changed nothing"
            return cursor.fetchall() if cursor.description else []

    return change
