"""Clocks that are wrong: a worker's, which must cost no event, and a producer's, which all readers judge alike."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from prometheus_client import REGISTRY

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from backoffice.kernel.clock import SystemClock, microseconds
from backoffice.reconcile.checks.accounting import TOO_EARLY
from backoffice.reconcile.runs.run import reconcile as run_once
from backoffice.settings.dated import EVER
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.generator import generate
from backoffice.streams import clocks
from backoffice.streams.clocks import Heard
from backoffice.streams.models import WrongClock
from tests.faults.checks import nothing_lost_or_doubled, reconciled
from tests.spine import Spine, until
from tests.streams.arriving import event_of
from tests.streams.outbox.test_relay import limit

SLOW = timedelta(minutes=20)
MINUTE = timedelta(minutes=1)
TOPIC = "bet-events"


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[timedelta]]:
    """By how much the clock of this process is wrong; the list can be changed while it runs."""
    by, right = [timedelta()], SystemClock.now
    monkeypatch.setattr(SystemClock, "now", lambda self: right(self) + by[0])
    yield by
    connection.close()


def bets(*leads: timedelta) -> list[Event]:
    """Bets that happen so long after now."""
    now = datetime.now(UTC)
    bodies = [
        event_of("BetPlaced", event_id=str(uuid4()), bet_id=str(uuid4()), occurred_at=microseconds(now + lead))
        for lead in leads
    ]
    return [Event("BetPlaced", str(body["player_id"]), body) for body in bodies]


def dead(spine: Spine) -> list[str]:
    return [str(reason) for (reason,) in spine.rows("SELECT reason FROM streams_deadletter ORDER BY id")]


def ahead() -> float:
    return REGISTRY.get_sample_value("pitboss_stream_clock_ahead_seconds") or 0.0


def told(spine: Spine) -> list[dict[str, Any]]:
    """What alerts say of clocks."""
    rows = spine.rows("SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert' ORDER BY id")
    found = [decode(bytes(value), schema("ComplianceAlert")) for (value,) in rows]
    return [alert for alert in found if alert["kind"] == "clock_wrong"]


def behind() -> float:
    return REGISTRY.get_sample_value("pitboss_stream_clock_behind_seconds") or 0.0


def status() -> str:
    told = StringIO()
    call_command("status", stdout=told)
    return told.getvalue()


def test_a_worker_whose_clock_is_slow_loses_nothing_and_says_so(
    spine: Spine, wrong: list[timedelta], caplog: pytest.LogCaptureFixture
) -> None:
    start = datetime.now(UTC) - timedelta(seconds=20)
    events = list(generate(seed=3, start=start, events=1_500, step=timedelta(milliseconds=10), players=40))
    spine.send(events)
    wrong[0] = -SLOW

    with caplog.at_level(logging.INFO), spine.streaming():
        spine.wait_drained()
        until(lambda: behind() > 19 * 60, "the gauge tells how slow it is")
        until(lambda: "behind that of Kafka's brokers" in caplog.text, "the log says so")
        wrong[0] = timedelta()
        until(lambda: behind() == 0.0, "the gauge tells that it is right")
        until(lambda: "is right again" in caplog.text, "the log says so")

    assert spine.rows("SELECT stream, topic FROM streams_halt") == []
    assert spine.rows("SELECT topic FROM streams_diversion") == []
    assert spine.rows("SELECT provider FROM trading_providersuspension") == []
    assert dead(spine) == []
    assert "! trading: the clock of its worker is 20 min behind Kafka's" in status()
    nothing_lost_or_doubled(spine, events)


def test_a_worker_whose_clock_is_ahead_dates_nothing_into_the_future_and_says_so(
    spine: Spine, wrong: list[timedelta], caplog: pytest.LogCaptureFixture
) -> None:
    wrong[0] = 3 * SLOW
    with caplog.at_level(logging.INFO), spine.streaming("trading"):
        until(lambda: ahead() > 59 * 60, "the gauge tells how far it is ahead")
        spine.send_bytes(TOPIC, [b"junk"] * 20, partition=0)
        until(lambda: spine.rows("SELECT FROM streams_halt"), "it halts")
        until(lambda: [alert["status"] for alert in told(spine)] == ["opened"], "an alert tells of it")

        wrong[0] = timedelta()
        until(lambda: len(told(spine)) == 2, "the alert is closed")
        until(lambda: not ahead(), "the gauge is right again")

    opened, closed = told(spine)
    assert "s ahead of that of Postgres" in opened["summary"]
    assert (closed["status"], closed["alert_id"]) == ("closed", opened["alert_id"])
    assert opened["occurred_at"] < datetime.now(UTC) + MINUTE
    for moment in ("max(updated_at) FROM streams_offset", "max(died_at) FROM streams_deadletter",
                   "max(halted_at) FROM streams_halt", "max(created_at) FROM streams_outbox"):  # fmt: skip
        assert spine.value(f"SELECT {moment}") < datetime.now(UTC) + MINUTE, moment
    assert "is right again" in caplog.text


def test_a_clock_that_is_ahead_of_the_brokers_is_told_though_postgres_is_as_wrong(
    spine: Spine, wrong: list[timedelta], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks.POSTGRES, "latest", lambda: SystemClock().now())
    wrong[0] = 3 * SLOW
    with spine.streaming("trading"):
        for _ in counted_until(lambda: told(spine)):
            spine.send(bets(timedelta()))
            spine.wait_drained("trading")

    assert "s ahead of that of Kafka's brokers" in told(spine)[0]["summary"]
    assert "that of Postgres" not in told(spine)[0]["summary"]


def test_the_alert_of_a_machine_without_workers_is_closed_by_another(spine: Spine) -> None:
    at = datetime.now(UTC) - 2 * MINUTE
    WrongClock.objects.create(host="gone", told="ahead", alert_id=uuid4(), noticed_at=at, seen_at=at)
    WrongClock.objects.create(host="here", told="ahead", alert_id=uuid4(), noticed_at=at, seen_at=at + 9 * MINUTE)

    with spine.streaming("trading"):
        until(lambda: told(spine), "the alert is closed")

    assert [alert["status"] for alert in told(spine)] == ["closed"]
    assert list(WrongClock.objects.filter(ended_at=None).values_list("host", flat=True)) == ["here"]


def counted_until(condition: Callable[[], object], most: int = 200) -> Iterator[int]:
    """Turns, until the condition holds."""
    for turn in range(most):
        if condition():
            return
        yield turn
    raise TimeoutError(f"not within {most} turns")


def test_what_is_early_is_dead_whatever_the_worker_takes_the_time_to_be(spine: Spine, wrong: list[timedelta]) -> None:
    for minutes, many in zip((-60, 0, 600), count(1)):
        wrong[0] = minutes * MINUTE
        spine.send(bets(14 * MINUTE, 16 * MINUTE))
        spine.drain("trading")
        assert len(dead(spine)) == many
        assert spine.value("SELECT count(*) FROM trading_bet") == many

    wrong[0] = timedelta()
    assert all("lies in the future" in reason for reason in dead(spine))
    reconciled()
    call_command("rebuild", "trading_bet", stdout=StringIO())
    assert spine.value("SELECT count(*) FROM trading_bet") == many
    reconciled()


def test_a_row_of_what_had_to_be_a_dead_letter_is_found(spine: Spine, settings: Any) -> None:
    settings.CLOCK_AHEAD = ((EVER, 30 * MINUTE),)
    spine.send(bets(14 * MINUTE, 16 * MINUTE))
    spine.drain("trading")
    assert run_once(full=True, clock=SystemClock()).clean

    settings.CLOCK_AHEAD = ((EVER, 15 * MINUTE),)
    report = run_once(full=True, anew=True, clock=SystemClock())

    assert [difference["says"] for difference in report.differences if difference["check"] == "messages"] == [TOO_EARLY]


def test_another_limit_changes_no_verdict_on_what_was_logged_before(spine: Spine, settings: Any) -> None:
    spine.send(bets(14 * MINUTE, 16 * MINUTE))
    spine.drain("trading")
    assert len(dead(spine)) == 1
    logged = spine.value("SELECT max(logged) FROM streams_offset WHERE topic = %s", TOPIC)
    since = datetime.fromtimestamp(logged / 1_000, UTC) + timedelta(milliseconds=1)
    until(lambda: datetime.now(UTC) > since, "the log is behind the moment")

    settings.CLOCK_AHEAD = (*settings.CLOCK_AHEAD, (since, 7 * MINUTE))
    assert run_once(full=True, clock=SystemClock()).clean
    spine.send(bets(6 * MINUTE, 14 * MINUTE))
    spine.drain("trading")

    assert (len(dead(spine)), spine.value("SELECT count(*) FROM trading_bet")) == (2, 2)
    call_command("rebuild", "trading_bet", stdout=StringIO())
    assert spine.value("SELECT count(*) FROM trading_bet") == 2
    assert run_once(full=True, anew=True, clock=SystemClock()).clean


def test_a_log_that_has_ceased_to_keep_times_is_held_against_the_clock(
    spine: Spine, wrong: list[timedelta], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its messages stand at the last time it kept; by that all that comes later would be early. It is an hour later
    for all of us: Postgres says nothing else.
    """
    monkeypatch.setattr(Heard, "latest", lambda _: None)
    spine.send(bets(timedelta()))
    spine.drain("trading")
    limit(spine, TOPIC, "message.timestamp.type", "CreateTime")
    wrong[0] = 60 * MINUTE

    spine.send(bets(70 * MINUTE, 80 * MINUTE))
    spine.drain("trading")

    assert len(dead(spine)) == 1
    assert spine.value("SELECT count(*) FROM trading_bet") == 2
    reconciled()
