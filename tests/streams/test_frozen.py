"""A process of ours that is frozen in a transaction, and a panic that is no Exception."""

import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from backoffice.kernel.errors import Retryable
from backoffice.reconcile.runs.transactions import Pulse
from backoffice.settings import servers
from backoffice.streams.consume.watching import stalls
from backoffice.streams.consume.watching.stalls import Stored
from backoffice.streams.consume.watching.watchdog import Watchdog
from backoffice.streams.database import SILENT_SECONDS, connect, passes
from backoffice.streams.jobs import _in_this_process, _session, clocked
from backoffice.streams.outbox.relay import Limits, session
from backoffice.streams.store.announcing import Listener, Teller
from tests.kernel.test_asking import no_threads
from tests.spine import Spine, until

HALF_TOLD = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'ClientRead'"


@pytest.mark.usefixtures("database")
def test_postgres_takes_back_the_transaction_of_a_connection_that_is_silent() -> None:
    with connect() as connection:
        (said,) = connection.execute("SHOW idle_in_transaction_session_timeout").fetchone() or ("",)
    assert said == "1min" == f"{SILENT_SECONDS // 60}min"

    with connect(silent_for=1) as silent, connect() as other, suppress(psycopg.OperationalError, Retryable):
        silent.execute("BEGIN")
        silent.execute("SELECT pg_advisory_xact_lock(4711)")
        other.execute("SELECT pg_advisory_lock(4711)")
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            silent.execute("SELECT 1")


def test_a_relay_that_was_stopped_with_half_of_a_statement_sent_loses_its_turn(spine: Spine) -> None:
    """Postgres waits for the rest, and to it whoever owes that is at work and not silent."""
    limits = replace(Limits.configured(), replaced_after=timedelta(seconds=1))
    is_taken = False
    with connect() as other, suppress(psycopg.Error, Retryable), session(limits) as relay:
        relay.execute("BEGIN")
        relay.execute("SELECT pg_advisory_lock(4711)")
        # All but its end, which is a message of its own.
        relay.pgconn.enter_pipeline_mode()
        relay.pgconn.send_query_params(b"SELECT 1", None)
        relay.pgconn.flush()
        until(lambda: spine.rows(HALF_TOLD), "Postgres waits")

        other.execute("SET lock_timeout = '20s'")
        other.execute("SELECT pg_advisory_lock(4711)")
        is_taken = True
    assert is_taken


def told_by_django(setting: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {setting}")
        return str(cursor.fetchone()[0])


@pytest.mark.usefixtures("database")
def test_postgres_takes_back_a_silent_transaction_of_django_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told_by_django("idle_in_transaction_session_timeout") == "2min"
    connection.close()
    options = connection.settings_dict["OPTIONS"]
    monkeypatch.setitem(options, "options", f"{options['options']} {servers.bounded('', 0.2)}")
    with pytest.raises(DatabaseError) as taken:
        be_silent()
    assert isinstance(taken.value.__cause__, psycopg.errors.IdleInTransactionSessionTimeout)
    assert passes(taken.value)
    connection.close()


def be_silent() -> None:
    """In a transaction, until Postgres has taken it back."""
    with connect() as other, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(4711)")
        other.execute("SELECT pg_advisory_lock(4711)")
        cursor.execute("SELECT 1")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("statement", "is_passing"),
    [
        ("SELECT pg_terminate_backend(pg_backend_pid())", True),
        ("SET statement_timeout = 1; SELECT pg_sleep(9)", True),
        ("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '53100'; END $$", True),
        ("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '54000'; END $$", False),
        ("DO $$ BEGIN RAISE EXCEPTION 'no'; END $$", False),
        ("SELECT FROM nowhere", False),
    ],
)
def test_what_passes_is_told_by_what_postgres_says_and_not_by_a_class(statement: str, is_passing: bool) -> None:
    with pytest.raises(DatabaseError) as refused, connection.cursor() as cursor:
        cursor.execute(statement)
    assert passes(refused.value) == is_passing
    connection.close()


@pytest.mark.usefixtures("database")
def test_a_session_that_is_closed_passes() -> None:
    connection.ensure_connection()
    connection.connection.close()
    with pytest.raises(DatabaseError) as refused:
        told_by_django("port")
    assert passes(refused.value)
    connection.close()


@pytest.mark.usefixtures("database")
def test_postgres_hears_of_a_transaction_in_which_kafka_is_read_for_long() -> None:
    pulse, until_then = Pulse(), time.monotonic() + 2.5

    def is_over() -> bool:
        pulse()
        return time.monotonic() > until_then

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '1500ms'")
        until(is_over, "longer than it may be silent")
        cursor.execute("SELECT 1")


@pytest.mark.usefixtures("database")
def test_the_address_says_for_how_long_a_transaction_may_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    own = servers.bounded("-c idle_in_transaction_session_timeout=7s", 300.0)
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", own)
    assert told_by_django("idle_in_transaction_session_timeout") == "7s"
    connection.close()


@pytest.mark.usefixtures("database")
def test_a_session_is_called_by_the_job_while_that_is_at_work() -> None:
    names = []

    def look() -> None:
        names.append(told_by_django("application_name"))

    clocked("test.named")(look)()

    assert names == ["pitboss job test.named"]
    assert told_by_django("application_name") == servers.process_name(sys.argv)


@pytest.mark.usefixtures("database")
def test_a_job_is_bounded_by_how_often_it_runs() -> None:
    names = ("lock_timeout", "statement_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout")
    found: dict[str, list[str]] = {}

    for name in ("test.bounded", "trading.judge_silence"):
        with _in_this_process(name), _session(name):
            found[name] = [told_by_django(each) for each in names]

    assert found["test.bounded"] == ["30s", "1h", "2min", "2min"]
    assert found["trading.judge_silence"] == ["5s", "1h", "20s", "20s"]
    assert told_by_django("lock_timeout") == "0"


class Panic(BaseException):
    pass


def test_the_watch_goes_on_after_a_panic(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    stopping, looked = threading.Event(), []

    def look(_: Watchdog) -> None:
        looked.append(1)
        if len(looked) > 1:
            stopping.set()
        raise Panic

    monkeypatch.setattr(Watchdog, "look", look)
    monkeypatch.setattr("backoffice.streams.consume.watching.watchdog.LOOK_SECONDS", 0.05)
    Watchdog([], stopping).run()

    assert len(looked) == 2
    assert "it goes on" in caplog.text


def test_the_watch_sees_on_while_nobody_can_be_asked_and_asks_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dog, asked = Watchdog([], threading.Event()), []

    def read(up: timedelta) -> Stored:
        asked.append(up)
        if len(asked) == 1:
            raise Panic
        return Stored({}, frozenset(), {}, {}, None, None)

    monkeypatch.setattr(stalls, "read", read)
    with no_threads():
        dog.look()
    assert asked == []

    dog.look()
    assert "how far the streams are cannot be read now" in caplog.text
    dog.look()
    assert len(asked) == 2


def test_a_teller_goes_on_after_a_panic(monkeypatch: pytest.MonkeyPatch) -> None:
    def panics(_: object) -> None:
        raise Panic

    monkeypatch.setattr("backoffice.streams.store.announcing._LISTENERS", [Listener(panics)])
    teller = Teller()
    teller.batches.put({"BetPlaced": None})
    teller._finishing.set()
    teller.run()

    assert teller.has_missed.is_set()


def test_a_worker_logs_what_the_settings_say(spine: Spine, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        spine.worker("wallet", output=file.fileno(), LOG_LEVEL="INFO")
        until(lambda: b"INFO backoffice.streams.step streams: " in (tmp_path / "log").read_bytes(), "it says INFO")
