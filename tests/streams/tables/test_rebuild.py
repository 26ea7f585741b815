"""A table made anew beside the live one, while the live stream goes on."""

import threading
from datetime import UTC, datetime, timedelta
from itertools import islice

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from backoffice.simulator.events.envelope import Event
from backoffice.simulator.generator import generate
from backoffice.streams.schemas import our_registry
from backoffice.streams.tables.rebuild import Progress, rebuild
from tests.spine import Spine, until

START = datetime(2026, 1, 1, tzinfo=UTC)
WAITING_SWAPS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%%'"
TABLES = (
    "trading_bet", "trading_leg", "trading_settlement", "trading_outcome", "wallet_transfer", "wallet_balance",
    "wallet_account", "wallet_payment", "players_player", "players_login", "streams_event", "metrics_window",
    "metrics_activity",
)  # fmt: skip


def events(count: int, seed: int = 3) -> list[Event]:
    return list(
        islice(generate(seed=seed, start=START, events=None, step=timedelta(milliseconds=20), players=60), count)
    )


def test_a_rebuilt_table_is_the_same_table(spine: Spine) -> None:
    sent = events(2_500)
    spine.send(sent)
    spine.send(sent[:50])  # repeats
    spine.send_bytes("bet-events", [b"junk", None])
    spine.drain()
    before = {table: (contents(spine, table), catalogue(spine, table)) for table in TABLES}

    for table in TABLES:
        call_command("rebuild", table)

    assert {table: (contents(spine, table), catalogue(spine, table)) for table in TABLES} == before
    assert all(rows and shape for rows, shape in before.values())


def test_a_rebuild_mends_what_was_broken(spine: Spine) -> None:
    spine.send(events(2_500))
    spine.drain()
    before = contents(spine, "trading_bet")
    spine.rows("UPDATE trading_bet SET stake = stake + 1 RETURNING 1")
    spine.rows("DELETE FROM trading_bet WHERE source_partition = 0 RETURNING 1")

    call_command("rebuild", "trading_bet")

    assert contents(spine, "trading_bet") == before


def test_a_rebuild_goes_on_beside_the_live_stream(spine: Spine) -> None:
    sent = events(9_000)
    spine.send(sent[:4_000])
    with spine.streaming():
        spine.wait_drained("trading")
        spine.send(sent[4_000:])
        call_command("rebuild", "trading_bet")
        call_command("rebuild", "metrics_window")
        spine.wait_drained()

    placed = {event.body["bet_id"] for event in sent if event.record == "BetPlaced"}
    assert {str(row[0]) for row in spine.rows("SELECT id FROM trading_bet")} == placed
    counted = spine.value("SELECT sum(count) FROM metrics_window WHERE metric = 'events'")
    assert counted == sum(event.record != "MarketPrice" for event in sent)


def test_an_immutable_table_is_immutable_after_its_rebuild(spine: Spine) -> None:
    spine.send(events(1_000))
    spine.drain("wallet")

    call_command("rebuild", "wallet_transfer")

    for statement in (
        "UPDATE wallet_transfer SET amount = 1",
        "DELETE FROM wallet_transfer",
        "TRUNCATE wallet_transfer",
        "TRUNCATE wallet_transfer_03",
    ):
        with pytest.raises(Exception, match="append-only"):
            spine.rows(statement)


def test_what_is_no_projection_is_refused(database: str) -> None:
    with pytest.raises(CommandError, match=r"No projection writes auth_user; there are .*trading_bet"):
        call_command("rebuild", "auth_user")


def contents(spine: Spine, table: str) -> list[str]:
    return sorted(str(row) for row in spine.rows(f"SELECT * FROM {table}"))


def catalogue(spine: Spine, table: str) -> list[str]:
    """Names and definitions of the table's indexes, constraints, triggers and partitions."""
    queries = (
        "SELECT indexname || indexdef FROM pg_indexes WHERE tablename = %s",
        "SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass",
        "SELECT tgname || tgtype FROM pg_trigger WHERE tgrelid = %s::regclass",
        "SELECT c.relname || pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = inhrelid"
        " WHERE inhparent = %s::regclass",
    )
    return sorted(str(row) for query in queries for row in spine.rows(query, table))


@pytest.mark.parametrize("begins", ["before it", "while it reads"])
def test_a_long_read_holds_up_a_swap_but_not_the_stream(spine: Spine, begins: str) -> None:
    sent = events(3_000)
    spine.send(sent[:1_500])
    spine.drain()
    with psycopg.connect(spine.database_url) as reader, spine.streaming():
        outcome: list[int] = []
        reads = iter(["SELECT 1 FROM trading_bet LIMIT 1"])

        def read(*_: int) -> None:
            for query in reads:
                reader.execute(query.encode())

        if begins == "before it":
            read()
        rebuilding = threading.Thread(target=lambda: outcome.append(rebuilt("trading_bet", read)))
        rebuilding.start()
        until(lambda: spine.value(WAITING_SWAPS), "the swap waits for the reader")
        spine.send(sent[1_500:])
        spine.wait_drained()
        reader.rollback()
        rebuilding.join(60)

    assert outcome
    placed = {event.body["bet_id"] for event in sent if event.record == "BetPlaced"}
    assert {str(row[0]) for row in spine.rows("SELECT id FROM trading_bet")} == placed
    assert not spine.value("SELECT to_regclass('trading_bet__new') IS NOT NULL")


def ignore(*_: int) -> None:
    pass


def rebuilt(table: str, progress: Progress = ignore) -> int:
    """As the command does it, with a progress of the test's own."""
    return rebuild(
        table,
        kafka=settings.KAFKA,
        prefix=settings.KAFKA_TOPIC_PREFIX,
        writers=our_registry(),
        progress=progress,
    )
