"""Tables are walked along while the streams store much; a walk that does not go on, or not fast enough, is told of."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any, cast

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from backoffice.contracts.catalogue import TOPICS
from backoffice.kernel.clock import SystemClock
from backoffice.reconcile.checker import Checker
from backoffice.reconcile.models import Finding, Walk
from backoffice.reconcile.runs import walking, walks
from backoffice.reconcile.runs.run import Report
from backoffice.reconcile.runs.run import reconcile as run_once
from backoffice.streams.store.projection import STREAMS
from tests.faults.load import some_events, under_load
from tests.reconcile.conftest import Tamper, changed
from tests.reconcile.test_plan import place
from tests.spine import Spine

INVENTED = "INSERT INTO wallet_balance (account_id, partition, debits, credits) VALUES (gen_random_uuid(), 0, 0, 7)"
# However little it reads, more is stored than a step takes.
MORE_IS_STORED = 0
ACCOUNTS = "accounts in wallet_account"
ALERTS = "SELECT count(*) FROM streams_outbox WHERE record = 'ComplianceAlert'"


@pytest.fixture
def stored(spine: Spine) -> Spine:
    spine.send(some_events(seed=5, count=1_500))
    spine.drain()
    return spine


def run(**how: Any) -> Report:
    return run_once(full=False, clock=SystemClock(), **how)


def told(report: Report, check: str) -> list[dict[str, Any]]:
    return [one for one in report.named if one["check"] == check]


def test_a_run_that_reads_faster_than_is_stored_walks_though_more_than_a_step_comes_meanwhile(stored: Spine) -> None:
    changed(stored, INVENTED)

    with stored.streaming(), under_load(stored, seed=9, rate=25):
        report = run(step=50)

    assert {one["check"] for one in report.differences} == {"balances", "ledger"}
    assert set(Walk.objects.values_list("rounds", flat=True)) == {1}


def test_walks_that_do_not_go_on_make_a_run_not_clean_and_are_one_finding(stored: Spine) -> None:
    began = datetime.now(UTC)
    assert run().clean
    stored.send(some_events(seed=9, count=200))
    stored.drain()

    reports = [run(step=MORE_IS_STORED) for _ in range(3)]

    assert [report.clean for report in reports] == [True, True, None]
    (found,) = told(reports[-1], "not_walked")
    assert (found["weight"], found["postgres"].keys()) == ("warning", set(Walk.objects.values_list("name", flat=True)))
    assert "store more while a run reads" in found["says"]
    assert f"since {began:%Y-%m-%d}" in found["says"]
    assert stored.value(ALERTS) == 1

    assert run().clean
    assert not Finding.objects.filter(ended_at=None).exists()
    assert stored.value(ALERTS) == 2, "it is closed"


def test_walks_that_never_could_go_are_told_of(stored: Spine) -> None:
    reports = [run(step=MORE_IS_STORED) for _ in range(4)]

    assert [report.clean for report in reports] == [True, True, True, None]


@pytest.mark.usefixtures("loaded")
def test_a_run_over_everything_says_nothing_of_walks_by_the_clock() -> None:
    for _ in range(3):
        run()
    assert Walk.objects.filter(name=ACCOUNTS).update(went_on_at=datetime.now(UTC) - timedelta(days=1))
    Walk.objects.create(name="sums in former_table", round_began_at=datetime.now(UTC) - timedelta(days=1))

    assert run_once(full=True, clock=SystemClock()).clean
    assert run().clean, "it goes on, and nobody waits for a walk that is none any more"


@pytest.mark.parametrize("table", ["wallet_transfer", "wallet_account", "metrics_window", "no_table"])
def test_how_many_rows_a_table_has(loaded: Spine, table: str) -> None:
    """With partitions and without."""
    analyzed(loaded)

    with connection.cursor() as cursor:
        assert walks.rows_of(cursor, table) == (
            loaded.value(f"SELECT count(*) FROM {table}") if table != "no_table" else 0
        )


@pytest.fixture
def a_row_a_run() -> Iterator[None]:
    """A round is due within an hour, a run is made each five minutes, and walks along one row of a table."""
    slow = {"rows_at_least": 1, "rows_at_most": 1, "again_within": 3_600.0, "interval": 300.0}
    with override_settings(RECONCILE=settings.RECONCILE | slow):
        yield


@pytest.mark.usefixtures("a_row_a_run")
def test_rounds_along_tables_that_are_too_slow_are_told_once(loaded: Spine, tamper: Tamper) -> None:
    analyzed(loaded)
    rows = loaded.value("SELECT count(*) FROM wallet_transfer")

    first, second = run(), run()
    status = StringIO()
    call_command("reconcile", status=True, stdout=status)

    (found,) = told(first, "pace")
    days = rows * timedelta(seconds=300) / timedelta(days=1)
    assert found["postgres"]["wallet_transfer"] == f"about {rows:,} rows, {days:.1f} days"
    assert told(second, "pace") == [found]
    assert found["says"] in status.getvalue()
    assert loaded.value(ALERTS) == 1


def test_a_pace_that_is_right_again_is_told_no_more(loaded: Spine, a_row_a_run: None) -> None:
    analyzed(loaded)
    assert told(run(), "pace")

    with override_settings(RECONCILE=settings.RECONCILE | {"rows_at_most": 50_000}):
        report = run()

    assert (told(report, "pace"), loaded.value(ALERTS)) == ([], 2)
    assert not Finding.objects.filter(ended_at=None).exists()


def test_a_walk_that_was_left_out_makes_up_for_it(loaded: Spine) -> None:
    """So that its round ends in time though only some runs can walk."""
    analyzed(loaded)
    rows = loaded.value("SELECT count(*) FROM wallet_account")
    in_time = {"rows_at_least": 1, "rows_at_most": rows, "again_within": 300.0 * rows, "interval": 300.0}
    with override_settings(RECONCILE=settings.RECONCILE | in_time):
        run()
        assert [walked(loaded, since=300), walked(loaded, since=900), walked(loaded, since=1_500)] == [1, 3, 5]


def walked(spine: Spine, since: float) -> int:
    """Rows along which a run walks that comes so many seconds after the last one that did."""
    far = (
        "SELECT count(*) FROM wallet_account WHERE id <= (SELECT (after->>0)::uuid FROM reconcile_walk WHERE name = %s)"
    )
    before = spine.value(far, ACCOUNTS)
    assert Walk.objects.filter(name=ACCOUNTS).update(went_on_at=datetime.now(UTC) - timedelta(seconds=since - 10))
    run()
    return int(spine.value(far, ACCOUNTS)) - int(before)


@pytest.mark.usefixtures("a_row_a_run")
def test_a_round_that_should_have_ended_long_ago_is_told(loaded: Spine) -> None:
    due = timedelta(hours=1)
    run()
    assert late_rounds(1.9 * due) == []
    (found,) = late_rounds(2.1 * due)
    assert found["says"].startswith("1 of ")
    assert found["postgres"].keys() == {ACCOUNTS}
    assert late_rounds(due) == []


def late_rounds(for_so_long: timedelta) -> list[dict[str, Any]]:
    """What a run says of rounds, where one goes on for so long."""
    assert Walk.objects.filter(name=ACCOUNTS).update(round_began_at=datetime.now(UTC) - for_so_long)
    return [one for one in told(run(), "pace") if "rounds along tables" in one["says"]]


def analyzed(spine: Spine) -> None:
    changed(spine, "ANALYZE")


@pytest.mark.parametrize(
    ("topics", "untold", "why"),
    [
        (set(TOPICS), "", "more while a run reads"),
        (set(TOPICS), "it has no leader", "Kafka did not tell of bet-events[3]"),
        ({"wallet-transactions"}, "", "two processes"),
        (set(TOPICS) - {"bet-events", "wallet-transactions"}, "", "more while a run reads"),
    ],
)
def test_why_a_walk_waits(topics: set[str], untold: str, why: str) -> None:
    read = [place(untold=untold), place(topic="wallet-transactions", stream=STREAMS["wallet"])]
    walk = walks.Walk("payouts", "trading_bet", ("id",), frozenset(one.key[:2] for one in read), lambda _stretch: None)

    assert why in walking._why(walks.Walker(cast(Checker, None), read), topics, walk)
