"""Reconciliation beside those who write: it sees one moment, and nobody waits for it for long."""

import threading
from contextlib import closing

import psycopg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.db import connection
from psycopg.errors import LockNotAvailable

from backoffice.kernel.clock import SystemClock
from backoffice.reconcile.runs.run import Report
from backoffice.reconcile.runs.run import reconcile as run_once
from backoffice.reconcile.runs.transactions import snapshot
from backoffice.simulator.events.envelope import Event
from tests.reconcile.conftest import Reconcile, again, events_of, garbage
from tests.spine import Spine, until


def test_runs_are_clean_while_the_streams_store(spine: Spine) -> None:
    events = events_of(1_200, seed=21)
    spine.send(events[:200])
    runs: list[Report] = []
    with spine.streaming():
        sending = threading.Thread(target=_send, args=(spine, events))
        sending.start()
        while sending.is_alive() or spine.lag() or len(runs) < 2:
            runs.append(run_once(full=len(runs) % 4 == 3, clock=SystemClock(), step=100))
        sending.join()
    runs.append(run_once(full=False, clock=SystemClock()))

    assert [run.differences for run in runs if not run.clean] == []
    assert spine.value("SELECT sum(next) FROM reconcile_checked") == sum(spine.ends().values())
    assert spine.value("SELECT count(*) FROM reconcile_windowtally WHERE is_open") == 0


def _send(spine: Spine, events: list[Event]) -> None:
    for start in range(200, len(events), 100):
        spine.send(events[start : start + 100])
        # Among enough good messages: a partition of which many are bad is halted.
        if start == 900:
            garbage(spine)
    spine.send(again(events[:100]))


def test_a_log_that_lost_its_beginning_is_told_once(spine: Spine, reconcile: Reconcile) -> None:
    spine.send(events_of(400, seed=22))
    spine.drain()
    partition = max(range(2), key=lambda number: spine.ends()["player-events", number])
    gone = spine.ends()["player-events", partition] // 2
    admin = AdminClient({**settings.KAFKA})
    for done in admin.delete_records([TopicPartition(f"{spine.prefix}player-events", partition, gone)]).values():
        done.result(30)

    code, told = reconcile()

    assert code == 1
    assert [(d["check"], d["topic"], d["partition"], d["offsets"]) for d in told["differences"]] == [
        ("log_begins_later", "player-events", partition, [0, gone - 1])
    ]
    assert reconcile()[0] == 0


def test_a_swap_waits_for_the_snapshot_and_the_streams_do_not(database: str) -> None:
    url = f"{settings.DATABASE_URL.rpartition('/')[0]}/{database}"
    with snapshot(), psycopg.connect(url, autocommit=True) as other:
        other.execute("SET lock_timeout = '100ms'")
        for table in ("trading_bet", "streams_event", "wallet_balance", "metrics_activity"):
            with pytest.raises(LockNotAvailable), other.transaction():
                other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            with other.transaction():
                other.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")


def test_a_snapshot_is_taken_after_a_swap_that_it_waits_for(database: str) -> None:
    """Else the table that was swapped in would look empty."""
    url = f"{settings.DATABASE_URL.rpartition('/')[0]}/{database}"
    seen: list[int] = []

    def look() -> None:
        with closing(connection), snapshot() as cursor:
            cursor.execute("SELECT count(*) FROM players_login")
            seen.append(cursor.fetchone()[0])

    with psycopg.connect(url) as swap, psycopg.connect(url, autocommit=True) as watch:
        swap.execute("CREATE TABLE shadow (LIKE players_login INCLUDING ALL)")
        swap.execute("DROP TABLE players_login")
        looking = threading.Thread(target=look)
        looking.start()
        until(
            lambda: watch.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessShareLock'").fetchone(),
            "the snapshot waits",
        )
        columns = ", ".join(
            "gen_random_uuid()" if kind == "uuid" else "now()" if kind.startswith("timestamp") else "1"
            if kind in ("smallint", "bigint", "integer") else "'x'"
            for (kind,) in swap.execute(
                "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'shadow'::regclass"
                " AND attnum > 0 ORDER BY attnum"
            ).fetchall()
        )  # fmt: skip
        swap.execute(f"INSERT INTO shadow SELECT {columns}")
        swap.execute("ALTER TABLE shadow RENAME TO players_login")
        swap.commit()
        looking.join(30)

    assert seen == [1]
