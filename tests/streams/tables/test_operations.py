"""A table that is there is laid out anew by a migration, with all it had."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, migrations, models, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.utils import InternalError, NotSupportedError, OperationalError

from backoffice.kernel.ids import uuid7
from backoffice.streams.tables.operations import CreatePartitioned, Repartition
from tests.streams.arriving import NOW, event_of, message
from tests.streams.stored import Store, log_of_values

BETS = 40


@pytest.fixture
def bets(store: Store) -> Iterator[list[str]]:
    """Some bets; what the test does to their table is undone."""
    rng = random.Random(1)
    ids = [str(uuid7(rng, NOW)) for _ in range(BETS)]
    events = [event_of("BetPlaced", event_id=str(uuid7(rng, NOW)), bet_id=id) for id in ids]
    store.take(log_of_values([("bet-events", 0, message("BetPlaced", event)) for event in events]))
    with transaction.atomic():
        yield sorted(ids)
        transaction.set_rollback(True)


def asked(query: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]


def told(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def run(operation: Operation, state: ProjectState | None = None) -> ProjectState:
    before = state or MigrationLoader(connection).project_state()
    after = before.clone()
    operation.state_forwards("trading", after)
    with connection.schema_editor(atomic=False) as editor:
        operation.database_forwards("trading", editor, before, after)
    return after


def contents() -> list[str]:
    return asked("SELECT to_jsonb(t)::text FROM trading_bet t ORDER BY 1")


def catalogue() -> list[str]:
    return asked(
        "SELECT indexname || indexdef FROM pg_indexes WHERE tablename = 'trading_bet' UNION ALL"
        " SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'trading_bet'::regclass"
        " AND contype <> 'n'"
        " UNION ALL SELECT relacl::text FROM pg_class WHERE oid = 'trading_bet'::regclass ORDER BY 1"
    )


def test_rows_indexes_and_grants_stay(bets: list[str]) -> None:
    told("GRANT SELECT ON trading_bet TO pg_monitor")
    before = contents(), catalogue()

    run(Repartition("Bet", by="id", hash=3))

    assert (contents(), catalogue()) == before
    assert len(contents()) == BETS
    assert asked("SELECT count(*) FROM pg_inherits WHERE inhparent = 'trading_bet'::regclass") == [3]
    assert asked("SELECT count(DISTINCT tableoid) FROM trading_bet") == [3]


def test_a_new_column_and_key_are_filled(bets: list[str]) -> None:
    state = MigrationLoader(connection).project_state()
    old = dict(state.models["trading", "bet"].fields)
    fields = [
        ("pk", models.CompositePrimaryKey("feed", "id", blank=True, editable=False, primary_key=True)),
        ("feed", models.TextField()),
        *((name, models.UUIDField() if name == "id" else field) for name, field in old.items()),
    ]

    after = run(Repartition("Bet", by="id", hash=2, fields=fields, fill={"feed": "'of ' || brand"}), state)

    assert list(after.models["trading", "bet"].fields) == ["pk", "feed", *old]
    assert sorted(map(str, asked("SELECT id FROM trading_bet WHERE feed = 'of ' || brand"))) == bets
    assert asked("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'trading_bet_pkey'") == [
        "PRIMARY KEY (feed, id)"
    ]


def test_a_view_makes_it_fail_and_changes_nothing(bets: list[str]) -> None:
    told("CREATE VIEW of_bets AS SELECT id FROM trading_bet")
    before = contents(), catalogue()

    with pytest.raises((InternalError, NotSupportedError, OperationalError), match="of_bets"), transaction.atomic():
        run(Repartition("Bet", by="id", hash=3))

    assert (contents(), catalogue()) == before


def test_a_table_is_made_by_hash(store: Store) -> None:
    fields: list[Any] = [("id", models.UUIDField(primary_key=True)), ("at", models.DateTimeField())]
    with transaction.atomic():
        run(CreatePartitioned(name="Thing", by="id", hash=5, fields=fields))

        assert asked("SELECT count(*) FROM pg_inherits WHERE inhparent = 'trading_thing'::regclass") == [5]
        transaction.set_rollback(True)


def test_a_migration_is_written_as_it_was_declared() -> None:
    operation = CreatePartitioned(name="Thing", by="id", hash=5, fields=[("id", models.UUIDField(primary_key=True))])

    assert operation.deconstruct()[2] | {"fields": []} == {"name": "Thing", "by": "id", "hash": 5, "fields": []}
    assert isinstance(operation, migrations.CreateModel)
