"""One run after another: only what is new is read, and what was checked before is carried over."""

import io

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from backoffice.kernel.clock import SystemClock
from backoffice.reconcile.models import Finding, Run
from backoffice.reconcile.runs.run import reconcile as run_once
from tests.reconcile.conftest import Reconcile, Tamper
from tests.spine import Spine

ALERTS = "SELECT value, key FROM streams_outbox WHERE record = 'ComplianceAlert'"
CHECKED = "SELECT sum(next) FROM reconcile_checked"
OPEN = (
    "SELECT (SELECT count(*) FROM reconcile_windowtally WHERE is_open)"
    " + (SELECT count(*) FROM reconcile_balancetally WHERE is_open)"
)


def test_a_second_run_reads_what_is_new_and_a_part_of_the_rest(continued: Spine, reconcile: Reconcile) -> None:
    before, stored = continued.value(CHECKED), sum(continued.ends().values())

    with override_settings(RECONCILE=settings.RECONCILE | {"messages_at_least": 100}):
        code, told = reconcile()

    assert (code, told.get("differences")) == (0, None)
    assert stored - before < sum(told["checked"].values()) < stored
    assert continued.value(CHECKED) == stored


def test_a_third_run_with_nothing_new_is_clean(continued: Spine, reconcile: Reconcile) -> None:
    assert reconcile()[0] == 0

    assert reconcile()[0] == 0


@pytest.mark.parametrize(
    ("table", "column", "condition", "check"),
    [
        ("wallet_balance", "debits", "account_id IN (SELECT debit_account FROM wallet_transfer)", "balances"),
        ("metrics_window", "count", "metric = 'events'", "windows"),
    ],
)
def test_sums_of_an_earlier_run_are_carried_over(
    table: str, column: str, condition: str, check: str, meddle: Tamper, reconcile: Reconcile
) -> None:
    """The altered row got a part of its sum before the first run."""
    tally = f"reconcile_{check.removesuffix('s')}tally"
    key = "account_id, partition" if check == "balances" else "metric, minute, key, currency, topic, partition"
    ((altered, before),) = meddle(
        f"UPDATE {table} o SET {column} = o.{column} + 3 FROM {tally} t WHERE ({_of('o', key)}) = ({_of('t', key)})"
        f" AND t.{column} > 0 AND o.{column} > t.{column} AND o.ctid = (SELECT o.ctid FROM {table} o JOIN {tally} t"
        f" USING ({key}) WHERE o.{column} > t.{column} AND t.{column} > 0 AND {condition} LIMIT 1)"
        f" RETURNING o.{column}, t.{column}"
    )

    code, told = reconcile()

    (difference,) = [found for found in told["differences"] if found["check"] == check]
    assert (code, difference["kafka"], difference["postgres"]) == (1, {column: altered - 3}, {column: altered})
    assert altered - 3 > before


def _of(table: str, columns: str) -> str:
    return ", ".join(f"{table}.{column.strip()}" for column in columns.split(","))


def test_a_later_change_of_what_was_checked_is_found_by_the_older_slice(meddle: Tamper, reconcile: Reconcile) -> None:
    ((partition, offset),) = meddle(
        "UPDATE wallet_round SET win = win + 1 WHERE (source_partition, source_offset) = (SELECT source_partition,"
        " source_offset FROM wallet_round r JOIN reconcile_checked c ON c.topic = 'game-rounds'"
        " AND c.partition = r.source_partition WHERE source_offset < c.next ORDER BY source_offset DESC LIMIT 1)"
        " RETURNING source_partition, source_offset"
    )

    code, told = reconcile()

    assert code == 1
    assert [(d["check"], d["partition"], d["offsets"]) for d in told["differences"]] == [
        ("rows", partition, [offset, offset])
    ]


@pytest.mark.parametrize("step", [150, 700])
def test_many_steps_find_what_one_finds(step: int, loaded: Spine, tamper: Tamper) -> None:
    tamper("UPDATE metrics_window SET amount = amount + 1 WHERE metric = 'ggr' AND amount > 0")
    ((altered,),) = tamper("SELECT count(*) FROM metrics_window WHERE metric = 'ggr' AND amount > 0")

    report = run_once(full=False, clock=SystemClock(), step=step)

    assert (report.total, {d["check"] for d in report.differences}) == (altered, {"windows"})
    assert sum(report.checked.values()) == sum(loaded.ends().values())
    assert loaded.value(CHECKED) == sum(loaded.ends().values())
    assert loaded.value(OPEN) == 0


def test_small_steps_are_clean_from_nothing_and_from_a_run_before(continued: Spine) -> None:
    report = run_once(full=False, clock=SystemClock(), step=100)

    assert (report.clean, report.differences) == (True, [])
    assert continued.value(OPEN) == 0


def test_findings_of_a_kind_are_one_alert_however_often_they_are_met(meddle: Tamper, continued: Spine) -> None:
    meddle("UPDATE trading_bet SET stake = stake + 1 WHERE id IN (SELECT id FROM trading_bet ORDER BY 1 DESC LIMIT 2)")

    for _ in range(2):
        with pytest.raises(SystemExit):
            call_command("reconcile", "--full", stdout=io.StringIO())

    alerts = [decode(bytes(value), schema("ComplianceAlert")) for value, _ in continued.rows(ALERTS)]
    assert Finding.objects.count() == 2
    assert len({a["alert_id"] for a in alerts}) == 1
    assert len(alerts) <= 2, "told once, and again where the second was found by another step"
    assert {(a["queue"], a["kind"], a["rule"], a["status"]) for a in alerts} == {
        ("platform", "reconcile_difference", "reconcile_rows", "opened")
    }
    assert {a["alert_id"] for a in alerts} == {str(found.alert_id) for found in Finding.objects.all()}
    assert all(found.last_seen_at > found.first_seen_at for found in Finding.objects.all())
    assert {bytes(key).decode() for _, key in continued.rows(ALERTS)} == {a["alert_id"] for a in alerts}


def test_runs_are_kept(meddle: Tamper, continued: Spine, reconcile: Reconcile) -> None:
    meddle("UPDATE players_player SET email = 'x' WHERE id IN (SELECT id FROM players_player LIMIT 1)")
    code, told = reconcile("--full")

    first, last = Run.objects.order_by("started_at")

    assert (first.is_clean, first.full, first.total) == (True, False, 0)
    assert (last.is_clean, last.full, last.total) == (False, True, told["total"])
    assert last.differences == told["differences"]
    assert last.checked == told["checked"]
    assert last.finished_at
    assert last.finished_at > last.started_at
    assert code == 1


@pytest.mark.parametrize(
    ("table", "column", "newest", "check"),
    [("wallet_balance", "credits", "account_id", "balances"), ("metrics_window", "count", "minute", "windows")],
)
def test_a_later_change_of_a_sum_is_found_by_the_walk(
    table: str, column: str, newest: str, check: str, meddle: Tamper, reconcile: Reconcile
) -> None:
    reconcile()
    meddle(
        f"UPDATE {table} SET {column} = {column} + 3 WHERE ctid = (SELECT ctid FROM {table}"
        f" WHERE {column} > 0 ORDER BY {newest} DESC LIMIT 1)"
    )

    code, told = reconcile()

    assert (code, told["differences"][0]["check"]) == (1, check)
