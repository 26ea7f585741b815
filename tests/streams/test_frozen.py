"""A process of ours that is frozen in a transaction, and a panic that is no Exception."""

import threading
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from backoffice.kernel.errors import Retryable
from backoffice.streams.consume.watching.watchdog import Watchdog
from backoffice.streams.database import SILENT_SECONDS, connect
from backoffice.streams.store.announcing import Listener, Teller
from tests.spine import Spine, until


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
