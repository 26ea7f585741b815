"""Tables in partitions, by hash for any ids and by month for times; tables that the database keeps from change."""

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection, transaction

from backoffice.kernel.ids import uuid7
from backoffice.streams.tables import partitions
from backoffice.streams.tables.operations import HASH_PARTITIONS
from backoffice.streams.tables.partitions import NotMade, ensure_partitions, missing_partitions
from tests.spine import until
from tests.streams.arriving import event_of, message
from tests.streams.stored import Store, log_of_values

IMMUTABLE = ("wallet_transfer", "wallet_transaction", "trading_settlement")
HASHED = (
    "trading_bet", "trading_leg", "wallet_round", "players_login", "players_session", *IMMUTABLE,
)  # fmt: skip
DAY = timedelta(days=1)
FAR = datetime(2035, 11, 30, 23, 59, tzinfo=UTC)
LATER = uuid7(random.Random(5), FAR)
IDS = (uuid7(random.Random(1), datetime(2026, 1, 1, tzinfo=UTC)), LATER, UUID("9f3c1a52-7c53-4b1e-9b7e-0d6a7c1f2e11"),
       UUID(int=0), UUID(int=2**128 - 1))  # fmt: skip
WINDOW = ("metric", "key", "", "topic", 0, 1, 0)


@pytest.fixture
def undone(store: Store) -> Iterator[Store]:
    """What Django's connection does in this test is undone."""
    with transaction.atomic():
        yield store
        transaction.set_rollback(True)


def placed(event_id: object, bet_id: object) -> bytes:
    return message("BetPlaced", event_of("BetPlaced", event_id=str(event_id), bet_id=str(bet_id)))


def partition_of(store: Store, table: str, column: str, value: object) -> list[Any]:
    query = f"SELECT tableoid::regclass::text FROM {table} WHERE {column} = %s".encode()
    return [name for (name,) in store.connection.execute(query, [value])]


def window(at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metrics_window VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", [WINDOW[0], at, *WINDOW[1:]]
        )


def windows(at: datetime) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM metrics_window WHERE minute = %s", [at])
        return [str(name) for (name,) in cursor.fetchall()]


@pytest.mark.parametrize("bet_id", IDS, ids=str)
def test_ids_of_any_kind_are_spread_and_told_apart(store: Store, bet_id: UUID) -> None:
    store.take(log_of_values([("bet-events", 0, placed(bet_id, bet_id))] * 2))

    (bet,) = partition_of(store, "trading_bet", "id", bet_id)
    assert bet.removeprefix("trading_bet_") in {f"{number:02}" for number in range(HASH_PARTITIONS)}
    assert partition_of(store, "trading_leg", "bet_id", bet_id)
    assert store.count("streams_repeat") == 1


@pytest.mark.parametrize("table", HASHED)
def test_a_table_of_facts_has_no_partition_that_collects_the_rest(store: Store, table: str) -> None:
    found = store.connection.execute(
        "SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
        " WHERE inhparent = %s::regclass",
        [table],
    ).fetchall()

    assert {str(bounds) for (bounds,) in found} == {
        f"FOR VALUES WITH (modulus {HASH_PARTITIONS}, remainder {number})" for number in range(HASH_PARTITIONS)
    }


def test_making_partitions_again_makes_none(undone: Store) -> None:
    assert ensure_partitions(datetime.now(UTC)) == []
    assert missing_partitions(datetime.now(UTC)) == []


def test_months_are_made_ahead(undone: Store) -> None:
    assert missing_partitions(FAR) == ["metrics_window_203511", "metrics_window_203512", "metrics_window_203601"]

    made = ensure_partitions(FAR, back=0, ahead=2)

    assert made == ["metrics_window_203511", "metrics_window_203512", "metrics_window_203601"]
    assert ensure_partitions(FAR, back=0, ahead=2) == []
    assert missing_partitions(FAR) == []


def test_what_came_before_its_month_was_made_is_moved_into_it(undone: Store) -> None:
    window(FAR)
    assert windows(FAR) == ["metrics_window_default"]

    ensure_partitions(FAR, back=0, ahead=0)

    assert windows(FAR) == ["metrics_window_203511"]


def test_what_is_older_than_all_months_is_past(undone: Store) -> None:
    long_ago = datetime(2009, 3, 1, tzinfo=UTC)
    window(long_ago)

    assert windows(long_ago) == ["metrics_window_past"]


def test_an_installation_without_a_past_gets_one(undone: Store) -> None:
    long_ago = datetime(2009, 3, 1, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE metrics_window_past")
    window(long_ago)

    assert ensure_partitions(datetime.now(UTC)) == ["metrics_window_past"]
    assert windows(long_ago) == ["metrics_window_past"]


def test_nobody_is_locked_out_of_the_table_while_a_month_is_made(undone: Store) -> None:
    ensure_partitions(FAR, back=0, ahead=0)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT mode FROM pg_locks WHERE relation = 'metrics_window'::regclass AND pid = pg_backend_pid()"
        )
        modes = {mode for (mode,) in cursor.fetchall()}
    assert "ShareUpdateExclusiveLock" in modes
    assert not modes & {"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}


def test_a_month_is_made_beside_a_long_read_and_a_long_write(store: Store, shelf: str) -> None:
    now = datetime.now(UTC)
    with psycopg.connect(shelf) as other:
        other.execute("INSERT INTO metrics_window VALUES ('m', now(), 'k', '', 't', 0, 1, 1)")
        other.execute("SELECT count(*) FROM metrics_window WHERE minute > %s AND minute <= %s", [now - DAY, now])

        with transaction.atomic():
            assert ensure_partitions(FAR, back=0, ahead=0) == ["metrics_window_203511"]
            transaction.set_rollback(True)


def test_a_month_that_cannot_be_made_is_told_and_made_later(
    store: Store, shelf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "PATIENCE", "20ms")
    with psycopg.connect(shelf) as other:
        other.execute("SELECT count(*) FROM metrics_window")
        with pytest.raises(NotMade, match="metrics_window_203511: canceling statement due to lock timeout"):
            ensure_partitions(FAR, back=0, ahead=0)
        assert "metrics_window_203511" in missing_partitions(FAR)

    with transaction.atomic():
        assert ensure_partitions(FAR, back=0, ahead=0) == ["metrics_window_203511"]
        transaction.set_rollback(True)


def test_it_waits_for_a_read_of_everything_to_end(store: Store, shelf: str) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE %'"
    with psycopg.connect(shelf) as reader, psycopg.connect(shelf, autocommit=True) as watcher:
        reader.execute("SELECT count(*) FROM metrics_window")

        def end_when_waited_for() -> None:
            until(lambda: watcher.execute(waiting).fetchone() == (1,), "the month waits for the reader")
            reader.rollback()

        ending = threading.Thread(target=end_when_waited_for)
        ending.start()
        with transaction.atomic():
            made = ensure_partitions(FAR, back=0, ahead=0)
            transaction.set_rollback(True)
        ending.join()

    assert made == ["metrics_window_203511"]


@pytest.fixture
def booked(store: Store) -> Store:
    """A settlement, and a deposit with its transfer."""
    rng, at = random.Random(3), datetime.now(UTC)
    settled = message("BetSettled", event_of("BetSettled", event_id=str(uuid7(rng, at))))
    deposit = message("DepositCompleted", event_of("DepositCompleted", event_id=str(uuid7(rng, at)), amount=70))
    store.take(log_of_values([("bet-events", 0, settled), ("wallet-transactions", 0, deposit)]))
    return store


@pytest.mark.parametrize("where", ["table", "partition"])
@pytest.mark.parametrize("table", IMMUTABLE)
@pytest.mark.parametrize("statement", ["UPDATE {} SET currency = 'SEK'", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("settings", ["SELECT 1", "SELECT set_config('pgtrigger.ignore', '{}', false)"])
def test_the_database_refuses_to_change_what_is_booked(
    booked: Store, statement: str, table: str, where: str, settings: str
) -> None:
    found = booked.connection.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass", [table]).fetchall()
    ignored = "{" + ",".join(str(name) for (name,) in found) + "}"
    booked.connection.execute(settings.replace("{}", ignored).encode())
    (lies,) = booked.connection.execute(f"SELECT DISTINCT tableoid::regclass::text FROM {table}".encode()).fetchall()
    name = table if where == "table" else str(lies[0])
    before = booked.contents(*IMMUTABLE)

    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only; correct it with a reversing entry"):
        booked.connection.execute(statement.format(name).encode())

    assert booked.contents(*IMMUTABLE) == before
    assert [len(rows) for rows in before.values()] == [1, 1, 1]


@pytest.mark.parametrize("table", IMMUTABLE)
def test_every_partition_refuses_truncate(store: Store, table: str) -> None:
    for number in range(HASH_PARTITIONS):
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            store.connection.execute(f"TRUNCATE {table}_{number:02}".encode())
