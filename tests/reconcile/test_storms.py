"""One fault that is found thousands of times: it hides no other, is one matter to whoever is told, and ends whole."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from backoffice.reconcile import differences, telling
from backoffice.reconcile.differences import Difference, Weight
from backoffice.reconcile.models import Finding, Rest
from backoffice.reconcile.runs.running import Running
from tests.reconcile.conftest import Reconcile, Tamper, Told
from tests.reconcile.lives import BETS, Player, later, reconciled, told
from tests.spine import Spine
from trading import payouts

pytestmark = pytest.mark.usefixtures("whole_rounds")
ALERTS = "SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert' ORDER BY id"
# Rows of one topic, and a row of money of another.
MANY = "UPDATE wallet_round SET game_id = game_id || 'x' WHERE event_id IN (SELECT event_id FROM wallet_round"
MEND_MANY = "UPDATE wallet_round SET game_id = rtrim(game_id, 'x') WHERE game_id LIKE '%x'"
_ONE = "(SELECT event_id FROM wallet_transaction WHERE record = 'DepositInitiated' ORDER BY 1 LIMIT 1)"
ONE = f"UPDATE wallet_transaction SET amount = amount + 50000 WHERE event_id = {_ONE}"
MEND_ONE = f"UPDATE wallet_transaction SET amount = amount - 50000 WHERE event_id = {_ONE}"
# Rows that only walks along their table find.
BALANCES = "UPDATE wallet_balance SET debits = debits + 1 WHERE debits % 7 = 0 RETURNING account_id::text || partition"
MEND_BALANCES = "UPDATE wallet_balance SET debits = debits - 1 WHERE account_id::text || partition = ANY(%s)"
FEW = 3


@pytest.fixture(autouse=True)
def few_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "LISTED", FEW)


def many(number: int) -> str:
    return f"{MANY} ORDER BY source_partition, source_offset LIMIT {number})"


def alerts(spine: Spine) -> list[Told]:
    found = [decode(bytes(value), schema("ComplianceAlert")) for (value,) in spine.rows(ALERTS)]
    return [alert for alert in found if alert["kind"] == "reconcile_difference"]


def open_alerts(spine: Spine) -> dict[str, Told]:
    """The last that is told of each alert, of those that stand open."""
    last = {alert["alert_id"]: alert for alert in alerts(spine)}
    return {alert_id: alert for alert_id, alert in last.items() if alert["status"] == "opened"}


def open_findings() -> Counter[tuple[str, str]]:
    found = Finding.objects.filter(ended_at=None).values_list("difference__topic", "difference__check")
    return Counter((str(topic), str(check)) for topic, check in found)


def counted(told: Told) -> dict[tuple[str, str], int]:
    return {(each["topic"], each["check"]): each["found"] for each in told["counts"]}


@pytest.mark.parametrize("arguments", [("--full",), ()])
def test_a_storm_of_one_fault_hides_no_other(
    arguments: tuple[str, ...], meddle: Tamper, continued: Spine, reconcile: Reconcile
) -> None:
    meddle(many(9))
    meddle(ONE)

    code, told = reconcile(*arguments)

    assert code == 1
    assert {("game-rounds", "rows"): FEW, ("wallet-transactions", "rows"): 1}.items() <= open_findings().items()
    assert counted(told)["game-rounds", "rows"] >= 9
    assert counted(told)["wallet-transactions", "rows"] >= 1
    assert {"game-rounds", "wallet-transactions"} <= {
        alert["summary"].split()[1].rstrip(":") for alert in alerts(continued)
    }


@pytest.mark.parametrize("arguments", [("--full",), ()])
def test_what_is_mended_ends_beside_a_storm_of_another(
    arguments: tuple[str, ...], meddle: Tamper, continued: Spine, reconcile: Reconcile
) -> None:
    meddle(ONE)
    reconcile("--full")
    meddle(many(9))
    meddle(MEND_ONE)

    reconcile(*arguments)

    assert ("wallet-transactions", "rows") not in open_findings()
    assert open_findings()["game-rounds", "rows"] == FEW


def test_a_storm_is_one_alert_however_long_it_lasts_and_the_alert_says_how_many(
    meddle: Tamper, continued: Spine, reconcile: Reconcile
) -> None:
    meddle(many(9))

    for _ in range(3):
        reconcile()

    (alert,) = open_alerts(continued).values()
    assert open_findings() == {("game-rounds", "rows"): FEW}
    assert alert["severity"] == "critical"
    evidence = json.loads(alert["evidence"])
    assert (evidence["check"], evidence["topic"], len(evidence["first"])) == ("rows", "game-rounds", FEW)
    assert 8 <= evidence["count"] <= 9
    assert len(alerts(continued)) <= 4


def test_of_a_storm_that_is_mended_in_part_the_rest_is_found_by_the_next_runs(
    meddle: Tamper, continued: Spine, reconcile: Reconcile
) -> None:
    """Though the rounds would come there much later."""
    meddle(many(9))
    reconcile()
    (alert,) = open_alerts(continued)
    meddle(
        "UPDATE wallet_round SET game_id = rtrim(game_id, 'x') WHERE event_id::text = ANY(%s)",
        [one.difference["kafka"]["event_id"] for one in Finding.objects.filter(ended_at=None)],
    )

    slow = {"messages_at_least": 1, "rows_at_least": 1}
    with override_settings(RECONCILE=settings.RECONCILE | slow):
        for _ in range(3):
            reconcile()

        assert open_findings() == {("game-rounds", "rows"): FEW}
        assert list(open_alerts(continued)) == [alert]
        meddle(MEND_MANY)
        for _ in range(3):
            reconcile()

    assert open_findings() == {}
    assert open_alerts(continued) == {}


def test_of_a_storm_that_a_walk_has_found_all_ends_when_it_is_mended(
    meddle: Tamper, continued: Spine, reconcile: Reconcile
) -> None:
    altered = [account for (account,) in meddle(BALANCES)]
    assert len(altered) > FEW
    reconcile()
    assert set(open_findings()) >= {("wallet-transactions", "balances")}
    assert max(open_findings().values()) == FEW
    meddle(MEND_BALANCES, altered)

    for _ in range(5):
        reconcile()

    assert open_findings() == {}
    assert open_alerts(continued) == {}


def told_wherever_one_asks(arguments: tuple[str, ...] = ()) -> tuple[str, str, Any, str]:
    shown, line, client = StringIO(), StringIO(), Client()
    call_command("status", stdout=shown)
    call_command("status", "--line", stdout=line)
    return (
        shown.getvalue(), line.getvalue(), client.get("/health/facts").json()["differences"],
        client.get("/metrics").content.decode(),
    )  # fmt: skip


def test_how_many_stand_open_is_told_with_those_that_are_not_noted(meddle: Tamper, reconcile: Reconcile) -> None:
    meddle(many(9))
    reconcile()

    shown, line, facts, metrics = told_wherever_one_asks()

    assert "! reconcile      differences open: 9, the first for" in shown
    assert "DIFFERENCES 9" in line
    assert [each["open"] for each in facts] == [9]
    assert '\npitboss_open_differences{kind="reconcile"} 9.0\n' in metrics


def test_of_every_topic_there_is_room_for_its_sums(meddle: Tamper, reconcile: Reconcile) -> None:
    """Though one query finds them all."""
    of_one = "SELECT ctid FROM metrics_window WHERE topic = 'player-events' ORDER BY minute, key LIMIT 1"
    meddle("UPDATE metrics_window SET count = count + 1 WHERE topic <> 'player-events'")
    meddle(f"UPDATE metrics_window SET count = count + 1 WHERE ctid = ({of_one})")

    _, told = reconcile()

    found = open_findings()
    assert found["player-events", "windows"] == 1
    assert found["bet-events", "windows"] == found["wallet-transactions", "windows"] == FEW
    assert sum(counted(told).values()) == told["total"]


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[Difference]:
    """That a run by the clock meets."""
    many = [
        Difference("overdrawn", "Below zero.", "wallet-transactions", where=str(number), weight=Weight.WARNING)
        for number in range(5)
    ]
    read_again = Running.read_again

    def with_many(running: Running, since_last: timedelta, step: int) -> None:
        for one in many:
            running.findings.add(one)
        read_again(running, since_last, step)

    monkeypatch.setattr(Running, "read_again", with_many)
    return many


@pytest.mark.usefixtures("warnings")
def test_open_warnings_are_told_wherever_one_asks_and_weigh_less(continued: Spine, reconcile: Reconcile) -> None:
    code, told = reconcile()

    assert (code, told["clean"], told["open"]) == (0, True, {"differences": 0, "warnings": FEW})
    shown, line, facts, metrics = told_wherever_one_asks()
    assert f"! reconcile      warnings open: {FEW}, the first for" in shown
    assert f"WARNINGS {FEW}" in line
    assert "DIFFERENCES" not in line
    assert [(each["open"], each["warnings"]) for each in facts] == [(0, FEW)]
    assert '\npitboss_open_differences{kind="reconcile"} 0.0\n' in metrics
    assert f'\npitboss_open_warnings{{kind="reconcile"}} {FEW}.0\n' in metrics
    (alert,) = open_alerts(continued).values()
    assert alert["severity"] == "high"


def findings(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("findings", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_a_storm_is_listed_and_accepted_by_its_check_and_topic(
    meddle: Tamper, continued: Spine, reconcile: Reconcile
) -> None:
    meddle(many(9))
    meddle(ONE)
    reconcile()
    of_rounds = ("--check", "rows", "--topic", "game-rounds")

    shown = findings("list", *of_rounds)
    assert len([line for line in shown if "game-rounds" in line and "(rows)" in line]) == FEW
    assert "about 6 more found by rows" in " ".join(shown)
    *rests, last = findings("accept", *of_rounds, "--reason", "seen", "--dry-run")
    assert last == f"{FEW} findings are chosen; nothing was done."
    assert [line for line in rests if not line.startswith("Chosen beside findings: ")] == []
    assert len(rests) == Rest.objects.count() > 0
    assert open_findings()["game-rounds", "rows"] == FEW

    findings("accept", *of_rounds, "--reason", "seen")

    assert ("game-rounds", "rows") not in open_findings()
    assert open_findings()["wallet-transactions", "rows"] == 1
    assert not Rest.objects.exists()
    assert {json.loads(alert["evidence"])["topic"] for alert in open_alerts(continued).values()} == {
        "wallet-transactions"
    }
    with pytest.raises(CommandError, match="fits the choice"):
        findings("accept", *of_rounds, "--reason", "seen")
    with pytest.raises(CommandError, match="choose by --check"):
        findings("accept", "--reason", "seen")


def noted(number: int, check: str = "rows") -> Finding:
    found = Difference(check, "It is not.", "bet-events", 0, "BetPlaced", (number, number), stream="trading")
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=number)
    return Finding(
        id=found.fingerprint(), difference=found.as_json(), alert_id=found.fingerprint(), first_seen_at=at,
        last_seen_at=at,
    )  # fmt: skip


@pytest.mark.usefixtures("continued")
def test_of_a_kind_of_which_an_edition_noted_all_a_run_takes_those_that_stand_the_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others wait: nobody has asked for them."""
    monkeypatch.setattr(telling, "AT_ONCE", 4)
    Finding.objects.bulk_create([*map(noted, range(9)), *(noted(number, "legs") for number in range(3))])
    now = datetime.now(UTC)

    standing = telling.all_standing(now)

    taken = sorted((found["check"], found["offsets"][0]) for found in standing)
    assert taken == [*(("legs", number) for number in range(3)), *(("rows", number) for number in range(4))]
    unmet = telling.open_findings(now, now)
    assert sorted((found.difference["check"], found.difference["offsets"][0]) for found in unmet) == taken


def test_what_a_query_of_a_walk_does_not_list_is_noted_when_there_is_room_and_ends_when_it_is_mended(
    spine: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payouts, "LISTED", FEW)
    p, bets = Player(), [str(uuid4()) for _ in range(2 * FEW)]
    told(spine, p.funded(), [p.bet("BetPlaced", bet) for bet in bets], later())
    reconciled(full=False)
    noted = {one.difference["where"] for one in Finding.objects.filter(ended_at=None, difference__check="payouts")}
    assert len(noted) == FEW
    assert Rest.objects.filter(fault="payouts", weight="warning", topic=BETS).exists()

    told(spine, [p.money("StakeTaken", bet) for bet in bets if any(bet in where for where in noted)], later())
    for _ in range(4):
        reconciled(full=False)

    others = {one.difference["where"] for one in Finding.objects.filter(ended_at=None, difference__check="payouts")}
    assert len(others) == FEW
    assert others.isdisjoint(noted)
    told(spine, [p.money("StakeTaken", bet) for bet in bets if any(bet in where for where in others)], later())
    for _ in range(5):
        reconciled(full=False)
    assert (open_findings(), open_alerts(spine), list(Rest.objects.all())) == ({}, {}, [])
