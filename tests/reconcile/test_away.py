"""What cannot be compared is said in one line, and nothing of it is kept; the next run does it."""

import json
import logging
import socket
import subprocess
import sys
import threading

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings

from backoffice.kernel import locks
from backoffice.localstack.layout import PROJECT
from backoffice.reconcile.checker import Checker
from backoffice.reconcile.messages import log
from backoffice.reconcile.messages.log import Chunk
from backoffice.reconcile.models import Run
from backoffice.reconcile.tasks import reconcile_newest
from tests import databases
from tests.reconcile.conftest import Reconcile, Told, changed
from tests.spine import Spine, frozen, until

CHECKED = "SELECT sum(next) FROM reconcile_checked"


@pytest.fixture
def nowhere() -> str:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


def nothing_new(spine: Spine, reconcile: Reconcile, says: str) -> None:
    before = spine.value(CHECKED), spine.value("SELECT count(*) FROM reconcile_run")

    code, told = reconcile()

    assert (code, told["clean"]) == (2, None)
    assert says in told["says"]
    assert "\n" not in told["says"]
    assert (spine.value(CHECKED), spine.value("SELECT count(*) FROM reconcile_run")) == before


def test_kafka_is_away(continued: Spine, reconcile: Reconcile, nowhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "ANSWER_SECONDS", 1.0)
    with override_settings(KAFKA=settings.KAFKA | {"bootstrap.servers": nowhere}):
        nothing_new(continued, reconcile, "Kafka")


def test_the_registry_is_away(continued: Spine, reconcile: Reconcile, nowhere: str) -> None:
    with override_settings(SCHEMA_REGISTRY_URL=f"http://{nowhere}/"):
        nothing_new(continued, reconcile, "registry")


def test_postgres_is_away(continued: Spine, reconcile: Reconcile, nowhere: str) -> None:
    away = f"postgresql://nobody@{nowhere}/none"
    with databases.default_database(away):
        nothing_new(continued, reconcile, "Postgres is away")


@pytest.mark.parametrize("how", ["it was silent", "a person ended it"])
def test_postgres_took_the_session_back(
    continued: Spine, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    def frozen(self: Checker, chunk: Chunk) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'; SELECT pg_backend_pid()")
            cursor.nextset()
            (pid,) = cursor.fetchone()
        if how == "a person ended it":
            continued.rows("SELECT pg_terminate_backend(%s)", pid)
        gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s"
        until(lambda: continued.value(gone, pid), "the session is taken back")
        examine(self, chunk)

    examine = Checker.examine
    monkeypatch.setattr(Checker, "examine", frozen)

    nothing_new(continued, reconcile, "Postgres is away: ")

    assert "cannot compare" not in caplog.text


def test_a_run_that_is_frozen_gives_the_tables_free(continued: Spine, reconcile: Reconcile) -> None:
    environ = continued.environ | {"DATABASE_SILENT_SECONDS": "2"}
    words = [sys.executable, "manage.py", "reconcile", "--full"]
    mine = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pitboss reconcile'"
    waits, is_silent = f"SELECT count(*) {mine} AND wait_event_type = 'Lock'", f"{mine} AND state LIKE 'idle in tr%%'"
    with psycopg.connect(continued.database_url) as other:
        other.execute("LOCK TABLE wallet_balance IN ACCESS EXCLUSIVE MODE")
        run = subprocess.Popen(
            words, env=environ, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        until(lambda: continued.value(waits), "it waits in a transaction")
        with frozen(run):
            other.rollback()
            until(lambda: continued.value(f"SELECT count(*) {is_silent}"), "it is silent in a transaction")
            until(lambda: not continued.value(f"SELECT count(*) {mine}"), "Postgres has taken the session back")

    told, _ = run.communicate(timeout=60)

    assert run.returncode == 2
    assert "Postgres is away: " in json.loads(told)["says"]
    assert reconcile("--full")[0] == 0


def test_what_others_have_changed_meanwhile_is_no_absence(continued: Spine, reconcile: Reconcile) -> None:
    """A person writes to a finding while a run is about to end it."""
    one = "id = (SELECT id FROM trading_bet ORDER BY source_partition, source_offset LIMIT 1)"
    changed(continued, f"UPDATE trading_bet SET stake = stake + 1 WHERE {one}")
    assert reconcile("--full")[0] == 1
    changed(continued, f"UPDATE trading_bet SET stake = stake - 1 WHERE {one}")
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
    told: list[tuple[int, Told]] = []

    def run() -> None:
        try:
            told.append(reconcile())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with psycopg.connect(continued.database_url) as other:
        other.execute("UPDATE reconcile_finding SET accepted_why = 'seen'")
        thread.start()
        until(lambda: continued.value(waits), "it is about to end the finding")
    thread.join()

    ((code, says),) = told
    assert (code, says["clean"]) == (2, None)
    assert says["says"].startswith("Others have changed the same: could not serialize access")
    assert reconcile()[0] == 0


def test_another_run_is_under_way(continued: Spine, reconcile: Reconcile) -> None:
    with psycopg.connect(continued.database_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [locks.RECONCILE_BY_THE_CLOCK])
        nothing_new(continued, reconcile, "Another reconciliation is under way")
        # Closing the connection would free it too, but some time after.
        other.execute("SELECT pg_advisory_unlock(%s)", [locks.RECONCILE_BY_THE_CLOCK])

    assert reconcile()[0] == 0


def test_the_task_reconciles(continued: Spine, caplog: pytest.LogCaptureFixture) -> None:
    changed(continued, "DELETE FROM wallet_account WHERE id IN (SELECT id FROM wallet_account WHERE kind = 'revenue')")

    with caplog.at_level(logging.INFO, "backoffice.reconcile.tasks"):
        reconcile_newest()

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert '"clean": false' in caplog.text
    assert "`manage.py findings list` shows what stands open" in caplog.text
    assert [run.is_clean for run in Run.objects.order_by("started_at")] == [True, False]


def test_the_task_leaves_what_it_cannot_do_to_the_next(
    continued: Spine, nowhere: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        override_settings(SCHEMA_REGISTRY_URL=f"http://{nowhere}/"),
        caplog.at_level(logging.INFO, "backoffice.reconcile.tasks"),
    ):
        reconcile_newest()

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert Run.objects.count() == 1
