"""Monthly partitions, and the tables that the database itself keeps from being changed."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import transaction

from backoffice.kernel.ids import uuid7
from backoffice.streams.tables.partitions import ensure_partitions
from tests.streams.arriving import NOW, event_of, message
from tests.streams.stored import Store, log_of_values

IMMUTABLE = ("wallet_transfer", "trading_settlement")
RANDOM_ID = "9f3c1a52-7c53-4b1e-9b7e-0d6a7c1f2e11"


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


def this_month(months: int = 0) -> datetime:
    count = datetime.now(UTC).year * 12 + datetime.now(UTC).month - 1 + months
    return datetime(count // 12, count % 12 + 1, 15, tzinfo=UTC)


@pytest.mark.parametrize("months", [-13, -1, 0, 3])
def test_a_row_lies_in_the_month_of_its_id(store: Store, months: int) -> None:
    at = this_month(months)
    bet_id = uuid7(random.Random(1), at)

    store.take(log_of_values([("bet-events", 0, placed(uuid7(random.Random(2), at), bet_id))]))

    assert partition_of(store, "trading_bet", "id", bet_id) == [f"trading_bet_{at:%Y%m}"]
    assert set(partition_of(store, "trading_leg", "bet_id", bet_id)) == {f"trading_leg_{at:%Y%m}"}


@pytest.mark.parametrize("bet_id", [RANDOM_ID, str(UUID(int=0)), str(UUID(int=2**128 - 1))])
def test_ids_that_carry_no_time_work_too(store: Store, bet_id: str) -> None:
    twice = [("bet-events", 0, placed(bet_id, bet_id))] * 2
    store.take(log_of_values(twice))

    assert partition_of(store, "trading_bet", "id", bet_id) == ["trading_bet_default"]
    assert store.count("streams_repeat") == 1


def test_making_partitions_again_makes_none(undone: Store) -> None:
    now = datetime.now(UTC)

    assert ensure_partitions(now) == []


def test_partitions_are_made_ahead_for_every_partitioned_table(undone: Store) -> None:
    later = datetime(2035, 11, 30, 23, 59, tzinfo=UTC)

    made = ensure_partitions(later, back=0, ahead=2)

    months = {name.rpartition("_")[2] for name in made}
    tables = {name.rpartition("_")[0] for name in made}
    assert months == {"203511", "203512", "203601"}
    assert len(made) == 3 * len(tables)
    assert {"trading_bet", "trading_leg", *IMMUTABLE, "streams_event", "wallet_transaction"} <= tables
    assert ensure_partitions(later, back=0, ahead=2) == []


def test_a_month_whose_rows_lie_in_the_default_partition_stays_there(store: Store) -> None:
    at = datetime(2040, 5, 5, tzinfo=UTC)
    bet_id = uuid7(random.Random(1), at)
    store.take(log_of_values([("bet-events", 0, placed(uuid7(random.Random(2), NOW), bet_id))]))

    with transaction.atomic():
        made = ensure_partitions(at, back=0, ahead=0)
        transaction.set_rollback(True)

    assert "trading_bet_204005" not in made
    assert "wallet_transfer_204005" in made
    assert partition_of(store, "trading_bet", "id", bet_id) == ["trading_bet_default"]


@pytest.fixture
def booked(store: Store) -> Store:
    """One settlement and one transfer, in the partition of this month."""
    rng, at = random.Random(3), this_month()
    settled = message("BetSettled", event_of("BetSettled", event_id=str(uuid7(rng, at))))
    deposit = message("DepositCompleted", event_of("DepositCompleted", event_id=str(uuid7(rng, at)), amount=70))
    store.take(log_of_values([("bet-events", 0, settled), ("wallet-transactions", 0, deposit)]))
    return store


@pytest.mark.parametrize("where", ["", "_default", "_%Y%m"])
@pytest.mark.parametrize("table", IMMUTABLE)
@pytest.mark.parametrize("statement", ["UPDATE {} SET currency = 'SEK'", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_database_refuses_to_change_what_is_booked(booked: Store, statement: str, table: str, where: str) -> None:
    name = f"{table}{this_month():{where}}" if where else table
    before = booked.contents(*IMMUTABLE)
    touches_no_row = where == "_default" and not statement.startswith("TRUNCATE")

    if touches_no_row:
        assert booked.connection.execute(statement.format(name).encode()).rowcount == 0
    else:
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only; correct it with a reversing entry"):
            booked.connection.execute(statement.format(name).encode())

    assert booked.contents(*IMMUTABLE) == before
    assert [len(rows) for rows in before.values()] == [1, 1]


def test_a_partition_made_later_is_guarded_too(undone: Store) -> None:
    from django.db import connection

    ensure_partitions(datetime(2035, 1, 1, tzinfo=UTC), back=0, ahead=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, count(*) FROM pg_trigger"
            " WHERE tgrelid::regclass::text = ANY(%s) AND tgname IN ('immutable', 'immutable_truncate')"
            " GROUP BY 1 ORDER BY 1",
            [[f"{table}_203501" for table in IMMUTABLE]],
        )
        guards = cursor.fetchall()

    assert guards == [("trading_settlement_203501", 2), ("wallet_transfer_203501", 2)]
