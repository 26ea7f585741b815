"""Alerts travel by the relay and Kafka; what they tell is seen without either, by everybody who asks."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings

from backoffice.localstack import ports
from backoffice.metrics.alerts import read_alerts
from backoffice.metrics.live import health
from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.alerts import close_alert, raise_alert
from tests.metrics.test_standing import said, samples
from tests.spine import Spine, kill, until

KIND = "stream_halted"
NOW = datetime.now(UTC)


@pytest.fixture
def without_relay(spine: Spine) -> Spine:
    """A relay that worked was killed; then a partition was halted for its bad messages."""
    relay = spine.worker("outbox")
    raise_alert("lane_stuck", "of before", now=NOW)
    until(lambda: not Outgoing.objects.filter(sent_at=None).exists(), "the relay works")
    kill(relay)
    spine.send_bytes("bet-events", [b"junk"] * 30, partition=0)
    with spine.streaming("trading"):
        until(lambda: spine.rows("SELECT 1 FROM streams_halt"), "the partition is halted")
    return spine


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said("--json"))
    return found


def test_an_alert_is_seen_by_everybody_who_asks_though_nothing_is_sent(without_relay: Spine) -> None:
    ready = Client().get("/health/ready")
    assert (ready.status_code, ready.json()["alerts"]) == (200, f"1 {KIND} not sent yet")
    (fact,) = Client().get("/health/facts").json()["unsent_alerts"]
    assert (fact["kind"], fact["severity"]) == (KIND, "critical")
    assert "summary" not in fact
    assert 0 <= fact["raised_seconds_ago"] < 600
    assert samples()[f'pitboss_unsent_alerts{{kind="{KIND}"}}'] == "1.0"
    assert "bet-events[0] halted at offset" in document()["unsent_alerts"][0]["summary"]
    screen = said()
    assert "! ALERTS         1 not sent yet" in screen
    assert f"{KIND}: trading: bet-events[0]" in screen
    assert "UNSENT ALERTS 1" in said("--line")
    ((name, row),) = [(key, row) for key, row in health("").items() if key.startswith("unsent_alerts/")]
    assert name == f"unsent_alerts/{KIND}/{fact['alert_id']}"
    assert "halted at offset" in str(row["summary"])
    assert len(without_relay.read("compliance-alerts")) == 1

    without_relay.worker("outbox")
    until(lambda: Client().get("/health/ready").json()["alerts"] == "ok", "it is sent")
    assert len(without_relay.read("compliance-alerts")) == 2
    assert document()["unsent_alerts"] == []
    assert "ALERTS" not in said()


def test_that_no_relay_runs_is_told_with_the_parts_that_answer(without_relay: Spine) -> None:
    assert Client().get("/health/ready").json()["outbox"] == "ok"

    with override_settings(OUTBOX=settings.OUTBOX | {"stuck_after": 0.0}):
        told = Client().get("/health/ready").json()["outbox"]

    assert "messages wait, the oldest for" in told
    assert "no relay runs, or Kafka does not take them" in told


def test_kafka_away_hides_no_alert(database: str) -> None:
    raise_alert("partitions_not_made", "Months could not be made.", now=NOW)

    nowhere = settings.KAFKA | {"bootstrap.servers": f"127.0.0.1:{ports.choose()}"}
    with override_settings(KAFKA=nowhere):
        ready = Client().get("/health/ready")
        assert (ready.status_code, ready.json()["alerts"]) == (503, "1 partitions_not_made not sent yet")
        assert samples()['pitboss_unsent_alerts{kind="partitions_not_made"}'] == "1.0"
        assert "partitions_not_made: Months could not be made." in said()


def test_what_is_over_before_it_was_sent_is_no_alert_and_what_cannot_be_read_is_one(database: str) -> None:
    over = raise_alert("lane_stuck", "wallet stands still", now=NOW)
    close_alert(over, "lane_stuck", "wallet goes on", now=NOW)
    raise_alert("lane_stuck", "trading stands still", now=NOW)
    raise_alert("of_tomorrow", "in a version to come", now=NOW)
    Outgoing.objects.filter(pk=Outgoing.objects.latest("pk").pk).update(value=b"x", schema_version=99)

    found = read_alerts()
    assert [alert.kind for alert in found] == ["lane_stuck", "unreadable"]
    assert found[0].summary == "trading stands still"
    assert Client().get("/health/ready").json()["alerts"] == "1 lane_stuck not sent yet, 1 unreadable not sent yet"


def test_alerts_that_were_discarded_are_told_no_more(database: str) -> None:
    raise_alert("lane_stuck", "wallet stands still", now=NOW)
    Outgoing.objects.update(discarded_at=NOW)

    assert read_alerts() == []


def test_many_are_counted_and_the_oldest_shown(database: str) -> None:
    for number in range(8):
        raise_alert("lane_stuck", f"lane {number}", now=NOW + timedelta(seconds=number))

    screen = said()

    assert "! ALERTS         8 not sent yet" in screen
    assert [number for number in range(8) if f"lane {number}" in screen] == [0, 1, 2, 3, 4]
