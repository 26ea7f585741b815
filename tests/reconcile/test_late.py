"""Events of long ago, for minutes of which the windows have hours and days by then: where some come each time, they
keep no run from looking at the rest, and what they add is compared, too.
"""

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from backoffice.kernel.clock import microseconds
from backoffice.metrics import rollup
from backoffice.reconcile.models import Finding
from backoffice.reconcile.runs.run import Report
from backoffice.simulator.events.envelope import Event
from tests.faults.load import some_events
from tests.reconcile.conftest import changed
from tests.reconcile.lives import reconciled
from tests.spine import Spine, until

pytestmark = pytest.mark.usefixtures("whole_rounds")
NOW = datetime.now(UTC)
BET = next(event for event in some_events(seed=3, count=5_000) if event.record == "BetPlaced")
INVENTED = (
    "INSERT INTO metrics_window (metric, minute, key, currency, topic, partition, count, amount)"
    " VALUES ('ggr', date_trunc('minute', now()), 'sports', 'EUR', 'bet-events', 0, 1, 999999900)"
)
ONE_ACCOUNT = "(account_id, partition) = (SELECT account_id, partition FROM wallet_balance ORDER BY 1, 2 LIMIT 1)"


def bet(days: int) -> Event:
    """A bet that was placed so many days ago."""
    new = {name: str(uuid4()) for name in ("event_id", "bet_id")}
    return Event("BetPlaced", BET.key, BET.body | new | {"occurred_at": microseconds(NOW - timedelta(days=days))})


def come(spine: Spine, *events: Event) -> None:
    spine.send(events)
    spine.drain("trading")


@pytest.fixture
def rolled(spine: Spine) -> Spine:
    """The windows have become hours and days, and a run has checked all of it."""
    come(spine, bet(60), bet(1))
    rollup.roll(rollup.border(NOW))
    assert reconciled(full=False).clean
    return spine


def checks(report: Report) -> list[str]:
    return [str(one["check"]) for one in report.differences]


@pytest.mark.parametrize("full", [False, True])
def test_revenue_that_somebody_made_up_is_found(rolled: Spine, full: bool) -> None:
    changed(rolled, INVENTED)
    come(rolled, bet(60))

    assert checks(reconciled(full=full)) == ["windows"]


@pytest.mark.parametrize("full", [False, True])
def test_what_came_late_is_compared_itself(rolled: Spine, full: bool) -> None:
    come(rolled, bet(60))
    late = "metric = 'stakes' AND minute < now() - interval '59 days'"
    assert rolled.value(f"SELECT count(*) FROM metrics_window WHERE {late}") == 1, "a minute that came late"
    changed(rolled, f"UPDATE metrics_window SET amount = amount + 5 WHERE {late}")

    report = reconciled(full=full)

    assert {one["where"].partition(",")[0] for one in report.differences} == {"metric=stakes_hour", "metric=stakes_day"}


def test_what_is_rolled_up_before_it_is_read_is_no_difference(rolled: Spine) -> None:
    """Two of one hour: one is read, the other is stored meanwhile, and both are rolled up."""
    come(rolled, bet(60))
    began = rolled.value("SELECT count(*) FROM reconcile_run")

    with psycopg.connect(rolled.database_url) as other:
        other.execute("LOCK TABLE reconcile_run IN EXCLUSIVE MODE")
        reports: list[Report] = []
        thread = threading.Thread(target=lambda: reports.append(_in_a_thread()))
        thread.start()
        until(lambda: _waits(rolled), "its step is read, and waits to keep the run")
        come(rolled, bet(60))
        other.rollback()
        thread.join()

    assert reports[0].clean
    assert rolled.value("SELECT count(*) FROM reconcile_run") == began + 1
    assert [reconciled(full=False).clean for _ in range(2)] == [True, True]
    assert reconciled(full=True).clean


def _in_a_thread() -> Report:
    try:
        return reconciled(full=False)
    finally:
        connection.close()


def _waits(spine: Spine) -> bool:
    return bool(spine.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'reconcile_run'::regclass"))


def test_a_balance_that_was_put_right_ends_however_much_comes_late(spine: Spine) -> None:
    spine.send([*some_events(seed=3, count=1_500), bet(60)])
    spine.drain()
    rollup.roll(rollup.border(NOW))
    assert reconciled(full=False).clean
    changed(spine, f"UPDATE wallet_balance SET debits = debits + 7, credits = credits + 7 WHERE {ONE_ACCOUNT}")
    assert set(checks(reconciled(full=False))) == {"balances", "ledger"}
    changed(spine, f"UPDATE wallet_balance SET debits = debits - 7, credits = credits - 7 WHERE {ONE_ACCOUNT}")

    for _ in range(3):
        come(spine, bet(60))
        assert reconciled(full=False).clean

    assert not Finding.objects.filter(ended_at=None, difference__weight="difference").exists()
