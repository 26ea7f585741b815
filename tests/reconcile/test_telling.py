"""A difference is told while it stands: an alert when it is found, closed when it is mended; another if it returns."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.core.management import call_command
from django.test import Client, override_settings

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from backoffice.reconcile import differences
from backoffice.reconcile.checks.rows import ALTERED
from backoffice.reconcile.differences import Difference, Weight
from backoffice.reconcile.models import Checked, Finding, Run, Walk
from backoffice.reconcile.runs.running import Running
from tests.reconcile.conftest import Reconcile, Tamper, changed, events_of, keep, replica
from tests.spine import Spine

ALERTS = "SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert' ORDER BY id"
OLDEST = "(SELECT id FROM trading_bet ORDER BY source_partition, source_offset LIMIT 1)"
ALTER = f"UPDATE trading_bet SET stake = stake + 1 WHERE id = {OLDEST}"
MEND = f"UPDATE trading_bet SET stake = stake - 1 WHERE id = {OLDEST}"
_ACCOUNT = "(SELECT account_id FROM wallet_balance ORDER BY 1 LIMIT 1)"
ALTER_BALANCE = f"UPDATE wallet_balance SET debits = debits + 1 WHERE account_id = {_ACCOUNT}"
MEND_BALANCE = f"UPDATE wallet_balance SET debits = debits - 1 WHERE account_id = {_ACCOUNT}"


def told(spine: Spine) -> list[tuple[str, str]]:
    alerts = [decode(bytes(value), schema("ComplianceAlert")) for (value,) in spine.rows(ALERTS)]
    return [(alert["alert_id"], alert["status"]) for alert in alerts]


@pytest.mark.parametrize("arguments", [("--full",), ()])
def test_a_difference_is_closed_when_it_is_mended_and_told_again_when_it_returns(
    arguments: tuple[str, ...], meddle: Tamper, continued: Spine, reconcile: Reconcile
) -> None:
    """By the clock, too: what was found is looked at by each run until it ends."""
    meddle(ALTER)
    assert reconcile("--full")[0] == 1
    assert reconcile(*arguments)[0] == 1
    (first,) = [alert for alert, _ in told(continued)]

    meddle(MEND)
    assert reconcile(*arguments)[0] == 0
    assert told(continued) == [(first, "opened"), (first, "closed")]
    meddle(ALTER)
    assert reconcile("--full")[0] == 1

    (_, _, (second, status)) = told(continued)
    assert (status, second != first) == ("opened", True)
    assert Finding.objects.get().ended_at is None


@pytest.mark.parametrize("arguments", [("--full",), ()])
def test_what_was_met_at_a_time_that_is_still_to_come_ends_when_it_is_mended(
    arguments: tuple[str, ...], meddle: Tamper, continued: Spine, reconcile: Reconcile
) -> None:
    meddle(ALTER)
    assert reconcile("--full")[0] == 1
    meddle(MEND)
    Finding.objects.update(last_seen_at=datetime.now(UTC) + timedelta(days=1))
    Run.objects.update(started_at=datetime.now(UTC) + timedelta(days=1))

    assert reconcile(*arguments)[0] == 0

    assert [status for _, status in told(continued)] == ["opened", "closed"]


def test_a_row_that_was_lost_and_put_back_wrong_is_another_finding_and_told_of_again(
    continued: Spine, reconcile: Reconcile
) -> None:
    newest = "(SELECT event_id FROM players_login ORDER BY source_partition, source_offset DESC LIMIT 1)"
    keep(continued, "players_login")
    with replica(continued) as connection:
        connection.execute(f"CREATE TEMPORARY TABLE lost AS SELECT * FROM players_login WHERE event_id = {newest}")
        connection.execute("DELETE FROM players_login WHERE event_id IN (SELECT event_id FROM lost)")
        connection.commit()
        assert reconcile("--full")[0] == 1
        connection.execute("UPDATE lost SET country = 'XX'")
        connection.execute("INSERT INTO players_login SELECT * FROM lost")
        connection.commit()

    assert reconcile()[0] == 1

    (alert, opened), *later = told(continued)
    assert opened == "opened"
    assert later == [(alert, "opened")]
    assert Finding.objects.get(ended_at=None).difference["says"] == ALTERED


def test_a_finding_has_the_figures_with_which_it_was_last_met(meddle: Tamper, reconcile: Reconcile) -> None:
    meddle(ALTER)
    assert reconcile("--full")[0] == 1
    before = Finding.objects.get().difference["postgres"]["stake"]
    meddle(ALTER)

    assert reconcile()[0] == 1

    assert Finding.objects.get().difference["postgres"]["stake"] == before + 1


@override_settings(RECONCILE=settings.RECONCILE | {"messages_at_least": 100_000, "rows_at_least": 100_000})
def test_what_stands_at_no_offset_ends_when_all_was_gone_through_since(
    meddle: Tamper, continued: Spine, reconcile: Reconcile
) -> None:
    meddle(ALTER_BALANCE)
    assert reconcile("--full")[0] == 1
    meddle(MEND_BALANCE)

    runs = 0
    while Finding.objects.filter(ended_at=None).exists():
        assert {status for _, status in told(continued)} == {"opened"}
        assert reconcile()[0] == 0
        runs += 1
        assert runs < 9, Walk.objects.values_list("name", "rounds")

    assert runs > 1
    assert sorted(status for _, status in told(continued)) == sorted(["opened", "closed"] * Finding.objects.count())


def test_while_more_is_found_than_is_listed_what_is_mended_ends(
    meddle: Tamper, continued: Spine, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same kind, too: each that is met is known."""
    one = "(SELECT event_id FROM wallet_round ORDER BY event_id LIMIT 1)"
    meddle(f"UPDATE wallet_round SET win = win + 1 WHERE event_id = {one}")
    assert reconcile("--full")[0] == 1
    (first,) = Finding.objects.filter(ended_at=None)
    monkeypatch.setattr(differences, "LISTED", 2)
    meddle(f"UPDATE wallet_round SET win = win - 1 WHERE event_id = {one}")
    of_others = f"(SELECT event_id FROM wallet_round WHERE event_id <> {one} LIMIT 5)"
    meddle(f"UPDATE wallet_round SET win = win + 1 WHERE event_id IN {of_others}")

    assert reconcile("--full")[0] == 1

    first.refresh_from_db()
    assert first.ended_at
    assert {status for _, status in told(continued)} == {"opened"}, "others of its kind stand open"


def test_more_warnings_than_are_listed_keep_no_difference_open(
    meddle: Tamper, continued: Spine, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [Difference("overdrawn", "Below zero.", where=str(number), weight=Weight.WARNING) for number in range(5)]
    read_again = Running.read_again

    def with_many(running: Running, since_last: timedelta, step: int) -> None:
        for one in many:
            running.findings.add(one)
        read_again(running, since_last, step)

    monkeypatch.setattr(differences, "LISTED", 3)
    monkeypatch.setattr(Running, "read_again", with_many)
    meddle(ALTER)
    assert reconcile("--full")[0] == 1
    assert reconcile()[0] == 1
    assert len([1 for _, status in told(continued) if status == "opened"]) == 1 + 1

    meddle(MEND)
    assert reconcile()[0] == 0

    assert [status for _, status in told(continued)].count("closed") == 1
    assert Finding.objects.filter(ended_at=None, difference__weight="warning").count() == 3
    assert not Finding.objects.filter(ended_at=None, difference__weight="difference").exists()


def test_an_open_difference_is_told_wherever_one_asks_how_all_is(
    meddle: Tamper, continued: Spine, reconcile: Reconcile
) -> None:
    meddle(ALTER)
    reconcile("--full")

    shown, line, facts = io.StringIO(), io.StringIO(), Client().get("/health/facts").json()
    call_command("status", stdout=shown)
    call_command("status", "--line", stdout=line)

    assert [(each["kind"], each["open"]) for each in facts["differences"]] == [("reconcile", 1)]
    assert "! reconcile      differences open: 1, the first for" in shown.getvalue()
    assert "DIFFERENCES 1" in line.getvalue()
    assert '\npitboss_open_differences{kind="reconcile"} 1.0\n' in Client().get("/metrics").content.decode()


def runs_until_all_ended(reconcile: Reconcile) -> int:
    runs = 0
    while Finding.objects.filter(ended_at=None).exists():
        assert runs < 9, Finding.objects.values_list("rounds", flat=True)
        assert reconcile()[0] == 0
        runs += 1
    return runs


@pytest.mark.usefixtures("whole_rounds")
def test_no_round_is_waited_for_of_a_partition_that_retention_has_emptied(spine: Spine, reconcile: Reconcile) -> None:
    spine.send(events_of(1_000))
    spine.drain()
    assert reconcile()[0] == 0
    changed(spine, ALTER_BALANCE)
    assert reconcile()[0] == 1
    changed(spine, MEND_BALANCE)
    name = f"{spine.prefix}odds-feed"
    ends = [TopicPartition(name, part, end) for (topic, part), end in spine.ends().items() if topic == "odds-feed"]
    admin = AdminClient({**settings.KAFKA})
    for emptied in admin.delete_records(ends).values():
        emptied.result(30)

    assert runs_until_all_ended(reconcile) > 1


@pytest.mark.usefixtures("whole_rounds")
@pytest.mark.parametrize(("stream", "topic"), [("former", "bet-events"), ("trading", "former-events")])
def test_no_round_is_waited_for_of_what_is_not_declared_any_more(
    stream: str, topic: str, meddle: Tamper, continued: Spine, reconcile: Reconcile
) -> None:
    """A stream, a topic of the catalogue, and a table that was walked along."""
    now = datetime.now(UTC)
    Checked.objects.create(stream=stream, topic=topic, partition=0, since=0, next=9, checked_at=now)
    meddle(
        "INSERT INTO streams_offset (stream, topic, partition, next, updated_at) VALUES (%s, %s, 0, 9, now())",
        stream,
        topic,
    )
    Walk.objects.create(name="sums in former_table", round_began_at=now)
    meddle(ALTER_BALANCE)
    assert reconcile("--full")[0] == 1
    meddle(MEND_BALANCE)

    assert runs_until_all_ended(reconcile) > 1
