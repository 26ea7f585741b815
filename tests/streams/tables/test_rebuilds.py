"""Rebuilds beside others: one at a time for each table, ended at any moment, refused before they start, and ended."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.kernel.errors import Rejected
from backoffice.streams.tables import rebuild as rebuilding
from tests.faults.load import under_load
from tests.spine import Spine, until
from tests.streams.tables.test_rebuild import contents, events, rebuilt

TURNS = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
SHADOW = "SELECT to_regclass(%s || '__new') IS NOT NULL"
BALANCES = "SELECT account_id, sum(debits), sum(credits) FROM wallet_balance GROUP BY 1 ORDER BY 1"


@pytest.fixture
def stored(spine: Spine) -> Spine:
    spine.send(events(2_500))
    spine.drain()
    return spine


@contextmanager
def being_read(spine: Spine, table: str) -> Iterator[None]:
    """No rebuild of the table comes to its end until the block does."""
    with psycopg.connect(spine.database_url) as reader:
        reader.execute(f"SELECT 1 FROM {table} LIMIT 1".encode())
        yield


def run(spine: Spine, statements: str) -> None:
    with psycopg.connect(spine.database_url, autocommit=True) as connection:
        connection.execute(statements.encode())


def process(spine: Spine, table: str) -> subprocess.Popen[str]:
    command = [sys.executable, "manage.py", "rebuild", table]
    return subprocess.Popen(command, env=spine.environ, text=True, stderr=subprocess.PIPE, start_new_session=True)


def test_the_second_of_two_is_told_who_is_at_it_and_changes_nothing(stored: Spine) -> None:
    before = stored.rows(BALANCES)
    outcome: list[int] = []
    first = threading.Thread(target=lambda: outcome.append(rebuilt("wallet_balance")))
    with being_read(stored, "wallet_balance"):
        first.start()
        until(lambda: stored.value(SHADOW, "wallet_balance"), "the first has begun")

        with pytest.raises(CommandError) as refused:
            call_command("rebuild", "wallet_balance")
        assert stored.value(SHADOW, "wallet_balance")
    first.join(60)

    pid = r"wallet_balance is being rebuilt by pitboss-rebuild wallet_balance \(process \d+.*\) since 20\d\d-.* UTC"
    refused.match(pid)
    assert outcome
    assert stored.rows(BALANCES) == before


def test_two_tables_are_rebuilt_at_once(stored: Spine) -> None:
    tables = ("trading_bet", "trading_leg", "wallet_balance", "metrics_window")
    before = {table: contents(stored, table) for table in tables}
    outcome: dict[str, int] = {}

    def run(table: str) -> None:
        outcome[table] = rebuilt(table)

    threads = [threading.Thread(target=run, args=(table,)) for table in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert outcome.keys() == set(tables)
    assert {table: contents(stored, table) for table in tables} == before


def test_one_that_was_killed_stands_in_nobodys_way(stored: Spine) -> None:
    before = contents(stored, "trading_bet")
    with being_read(stored, "trading_bet"):
        killed = process(stored, "trading_bet")
        until(lambda: stored.value(SHADOW, "trading_bet"), "it has begun")
        killed.kill()
        killed.communicate(timeout=20)

    until(lambda: not stored.value(TURNS), "Postgres has noticed")
    assert stored.value(SHADOW, "trading_bet")
    call_command("rebuild", "trading_bet", stdout=StringIO())

    assert contents(stored, "trading_bet") == before
    assert not stored.value(SHADOW, "trading_bet")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_ended_leaves_nothing_behind(stored: Spine, number: signal.Signals) -> None:
    before = contents(stored, "trading_bet")
    with being_read(stored, "trading_bet"):
        ended = process(stored, "trading_bet")
        until(lambda: stored.value(SHADOW, "trading_bet"), "it has begun")
        ended.send_signal(number)
        _, said = ended.communicate(timeout=30)

    assert ended.returncode == 130
    assert "Ended; trading_bet is as it was." in said
    assert "Traceback" not in said
    assert not stored.value(SHADOW, "trading_bet")
    assert contents(stored, "trading_bet") == before


def test_what_would_be_lost_is_refused_before_a_message_is_read(stored: Spine) -> None:
    run(stored, "CREATE MATERIALIZED VIEW sums AS SELECT sum(stake) FROM trading_bet")
    read: list[int] = []

    with pytest.raises(Rejected, match="materialized view sums"):
        rebuilt("trading_bet", lambda done, _: read.append(done))

    assert read == []
    assert not stored.value(SHADOW, "trading_bet")


def test_what_postgres_would_not_let_it_do_is_said_before_a_message_is_read(stored: Spine) -> None:
    """An event trigger of somebody else's that keeps tables from being dropped."""
    run(
        stored,
        "CREATE FUNCTION keep() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT FROM"
        " pg_event_trigger_dropped_objects() WHERE object_name = 'trading_bet__old') THEN"
        " RAISE EXCEPTION 'tables are kept here'; END IF; END $$;"
        " CREATE EVENT TRIGGER keep ON sql_drop EXECUTE FUNCTION keep()",
    )
    read: list[int] = []

    with pytest.raises(Rejected, match=r"cannot be replaced: tables are kept here\. It is as it was"):
        rebuilt("trading_bet", lambda done, _: read.append(done))

    assert read == []
    assert not stored.value(SHADOW, "trading_bet")


def test_a_log_that_ends_before_what_is_stored_is_refused(stored: Spine) -> None:
    before = contents(stored, "trading_bet")
    stored.rows("UPDATE streams_offset SET next = next + 7 WHERE topic = 'bet-events' AND partition = 1 RETURNING 1")

    with pytest.raises(CommandError, match=r"bet-events\[1\] ends at offset \d+, and trading has stored it up to \d+"):
        call_command("rebuild", "trading_bet", stdout=StringIO())

    assert contents(stored, "trading_bet") == before


def test_a_topic_that_was_made_anew_is_refused(stored: Spine) -> None:
    before = contents(stored, "trading_bet")
    name, admin = f"{stored.prefix}bet-events", AdminClient({**settings.KAFKA})
    admin.delete_topics([name])[name].result(10)
    until(lambda: name not in admin.list_topics(timeout=10).topics, "it is gone")
    admin.create_topics([NewTopic(name, stored.partitions, 1)])[name].result(10)
    stored.ends()

    with pytest.raises(CommandError, match="bet-events was deleted or made anew"):
        call_command("rebuild", "trading_bet", stdout=StringIO())

    assert contents(stored, "trading_bet") == before


def test_markers_and_messages_of_transactions_are_passed(stored: Spine) -> None:
    bets = [event for event in events(6_000, seed=8) if event.record == "BetPlaced"][:30]
    sender = Producer({**settings.KAFKA, "transactional.id": stored.prefix})
    sender.init_transactions(30)
    for taken_back, some in ((False, bets[:10]), (True, bets[10:20]), (False, bets[20:])):
        sender.begin_transaction()
        for bet in some:
            value = frame(stored.registry.register(bet.record), encode(bet.record, bet.body))
            sender.produce(f"{stored.prefix}{topic_of(bet.record)}", key=bet.key, value=value)
        (sender.abort_transaction if taken_back else sender.commit_transaction)(30)
    known = {bet.body["bet_id"] for bet in bets[:10] + bets[20:]}
    with stored.streaming("trading"):
        until(lambda: known <= {str(i) for (i,) in stored.rows("SELECT id FROM trading_bet")}, "they are stored")
    before = contents(stored, "trading_bet")

    call_command("rebuild", "trading_bet", stdout=StringIO())

    assert contents(stored, "trading_bet") == before


def test_it_comes_to_its_end_under_a_load_that_never_lets_it_get_near(
    spine: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "LAST_STRETCH", -1)
    with spine.streaming("trading"):
        with under_load(spine, seed=9) as load:
            until(lambda: spine.value("SELECT count(*) FROM trading_bet") > 50, "it streams")
            rebuilt("trading_bet")
        spine.wait_drained("trading")

    placed = {str(event.body["bet_id"]) for event in load.sent if event.record == "BetPlaced"}
    assert {str(row[0]) for row in spine.rows("SELECT id FROM trading_bet")} == placed


def test_the_share_done_and_the_time_left_are_told(stored: Spine) -> None:
    told = StringIO()

    call_command("rebuild", "trading_bet", stdout=StringIO(), stderr=told)

    last: Any = told.getvalue().splitlines()[-1]
    assert last.startswith("trading_bet: 100% of ")
    assert last.endswith(" messages, 0 s left")
