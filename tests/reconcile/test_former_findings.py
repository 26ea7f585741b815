"""Findings that an older edition noted, without the keys of their rows, stand open: they end no run, of one process or
of two.
"""

import threading
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from backoffice.kernel.clock import SystemClock
from backoffice.reconcile.differences import Difference
from backoffice.reconcile.models import Finding
from backoffice.reconcile.runs.run import Report
from backoffice.reconcile.runs.run import reconcile as run_once
from tests.spine import Spine, until

WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND"
HOLDS_ITS_ROW = f"{WAITS} relation = 'reconcile_run'::regclass"


@pytest.fixture
def settings_of_both(loaded: Spine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process beside this one reads its settings from the environment."""
    for name, value in loaded.environ.items():
        monkeypatch.setenv(name, value)


def noted(topic: str = "player-events", state: str = "") -> Finding:
    found = Difference("state", "It differs.", topic, where="id=1", stream="players", table="players_player",
                       state=state)  # fmt: skip
    now = timezone.now()
    return Finding.objects.create(
        id=found.fingerprint(), difference=found.as_json(), alert_id=uuid4(), first_seen_at=now, last_seen_at=now
    )


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("full", [False, True])
def test_a_row_of_a_state_without_its_key_stays_open(full: bool) -> None:
    finding = noted(state="players_registration_player_events")

    report = run_once(full=full, clock=SystemClock())

    assert (report.clean, [one["check"] for one in report.named]) == (None, ["not_judged"])
    finding.refresh_from_db()
    assert finding.ended_at is None


@pytest.mark.usefixtures("settings_of_both")
@pytest.mark.parametrize("topic", ["player-events", "wallet-transactions", ""])
def test_two_processes_leave_it_open_one_of_them(loaded: Spine, topic: str) -> None:
    """The first holds its row while the other comes to the end of a step of its own."""
    finding = noted(topic)
    reports: list[Report] = []
    thread = threading.Thread(target=lambda: reports.append(_in_two()))

    with psycopg.connect(loaded.database_url) as other:
        other.execute("LOCK TABLE reconcile_run IN EXCLUSIVE MODE")
        thread.start()
        until(lambda: loaded.value(HOLDS_ITS_ROW), "the first has told what its step has found")
        until(lambda: _other_is_done(loaded) or _other_waits(loaded), "so has the other one")
    thread.join()

    (report,) = reports
    assert (report.clean, [one["check"] for one in report.named]) == (None, ["not_judged"])
    finding.refresh_from_db()
    assert finding.ended_at is None


def _in_two() -> Report:
    try:
        return run_once(full=False, clock=SystemClock(), alone_up_to=-1)
    finally:
        connection.close()


def _other_is_done(spine: Spine) -> bool:
    return bool(spine.value("SELECT count(*) FROM reconcile_checked WHERE topic = 'wallet-transactions' AND next > 0"))


def _other_waits(spine: Spine) -> bool:
    return bool(spine.value(f"{WAITS} locktype = 'transactionid'"))
