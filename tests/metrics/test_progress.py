"""How the streams stand, by their own tables: freshness, lag, dead letters, halts; told to people and to machines."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client import REGISTRY

from backoffice.kernel.clock import microseconds
from backoffice.metrics.progress import TopicProgress, read_topics
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.generator import generate
from backoffice.streams import telemetry
from backoffice.streams.models import Halt
from tests.faults.checks import reconciled
from tests.spine import Spine, until
from tests.streams.arriving import event_of

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)


def bet(at: datetime, **changes: Any) -> Event:
    ids = {"event_id": str(uuid4()), "bet_id": str(uuid4()), "occurred_at": microseconds(at)}
    body = event_of("BetPlaced", **ids) | changes
    return Event("BetPlaced", str(body["player_id"]), body)


def store(spine: Spine, *events: Event) -> datetime | None:
    """When the newest event of `bet-events` happened, once these are stored."""
    spine.send(events)
    spine.drain("trading")
    return of("bet-events").newest_at


def of(topic: str) -> TopicProgress:
    (progress,) = [progress for progress in read_topics() if progress.topic == topic]
    return progress


def test_before_the_first_event_a_topic_has_no_newest_event(spine: Spine) -> None:
    progress = of("bet-events")

    assert (progress.newest_at, progress.stored_at) == (None, None)


def test_the_newest_event_counts_whatever_comes_after_it(spine: Spine) -> None:
    newest = bet(NOW - 5 * MINUTE)
    dead = bet(NOW - MINUTE, stake=-5)

    assert store(spine, bet(NOW - 9 * MINUTE)) == NOW - 9 * MINUTE
    assert store(spine, newest, bet(NOW - 7 * MINUTE)) == NOW - 5 * MINUTE
    assert store(spine, bet(NOW - 20 * MINUTE)) == NOW - 5 * MINUTE
    assert store(spine, newest, newest) == NOW - 5 * MINUTE
    assert store(spine, dead) == NOW - 5 * MINUTE
    assert of("bet-events").newest_at == NOW - 5 * MINUTE
    assert store(spine, bet(NOW - 2 * MINUTE)) == NOW - 2 * MINUTE


def test_of_dead_letters_alone_nothing_is_fresh(spine: Spine) -> None:
    assert store(spine, bet(NOW, stake=-5)) is None


def test_a_clock_that_is_ahead_makes_no_topic_fresh_for_longer(spine: Spine) -> None:
    newest = store(spine, bet(NOW + settings.CLOCK_AHEAD[-1][1] - MINUTE))

    assert newest is not None
    assert newest <= datetime.now(UTC)


def test_rebuild_and_reconcile_leave_it_as_it_is(spine: Spine) -> None:
    newest = store(spine, bet(NOW - 5 * MINUTE), bet(NOW - 7 * MINUTE))

    call_command("rebuild", "trading_bet", stdout=StringIO())

    assert of("bet-events").newest_at == newest
    reconciled()


def test_dead_letters_and_halts_are_told_by_topic(spine: Spine) -> None:
    spine.send_bytes("bet-events", [b"junk", b"junk"])
    spine.send_bytes("game-rounds", [b"junk"])
    spine.drain()
    first = spine.value("SELECT min(id) FROM streams_deadletter WHERE topic = 'bet-events'")
    call_command("deadletters", "discard", str(first), "--reason", "a test", stdout=StringIO())
    halt("wallet", "game-rounds", 1)

    with CaptureQueriesContext(connection) as queries:
        found = {progress.topic: (progress.dead_letters, progress.halted) for progress in read_topics()}

    assert {topic: told for topic, told in found.items() if any(told)} == {
        "bet-events": (1, ()), "game-rounds": (1, (1,)),
    }  # fmt: skip
    assert len(queries) == 4


def test_lag_is_told_from_the_start_of_a_worker_and_of_a_halted_partition(spine: Spine) -> None:
    spine.send_bytes("bet-events", [b"junk"] * 3, partition=0)
    spine.drain("trading")
    halt("trading", "bet-events", 1)
    spine.send_bytes("bet-events", [b"junk"] * 5, partition=1)
    telemetry.LAG.clear()

    with spine.streaming("trading"):
        until(lambda: lag("bet-events", 0) == 0, "the lag of a partition of which nothing is left is told")
        until(lambda: lag("bet-events", 1) == 5, "the lag of a halted partition is told")


@pytest.fixture
def told(spine: Spine) -> Spine:
    start = datetime.now(UTC) - 3 * MINUTE
    spine.send(generate(seed=5, start=start, events=900, step=timedelta(milliseconds=100), players=40))
    spine.send_bytes("bet-events", [b"junk"])
    spine.drain()
    halt("wallet", "game-rounds", 1)
    return spine


def test_health_tells_facts_and_no_money(told: Spine) -> None:
    response = Client().get("/health/facts")

    shown = response.json()
    topics = {topic["topic"]: topic for topic in shown["topics"]}
    assert 0 < topics["bet-events"]["freshness_seconds"] < 600
    assert (topics["bet-events"]["dead_letters"], topics["game-rounds"]["halted"]) == (1, [1])
    assert {feed["provider"] for feed in shown["feeds"]} <= {"northfeed", "courtline", "exchange-one"}
    assert any(feed["markets_watched"] for feed in shown["feeds"])
    assert set(shown) == {
        "at",
        "topics",
        "feeds",
        "missing_partitions",
        "hidden_metrics",
        "outbox",
        "unsent_alerts",
        "live",
        "streams",
        "jobs",
        "differences",
        "unread",
    }


def test_a_month_that_was_not_made_is_told_everywhere(database: str) -> None:
    month = f"metrics_window_{datetime.now(UTC):%Y%m}"
    assert Client().get("/health/facts").json()["missing_partitions"] == []
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TABLE "{month}"')

    assert Client().get("/health/facts").json()["missing_partitions"] == [month]
    assert "\npitboss_missing_partitions 1.0\n" in Client().get("/metrics").content.decode()


def test_prometheus_is_told_the_same(told: Spine) -> None:
    page = Client().get("/metrics").content.decode()

    samples = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    newest = samples['pitboss_stream_newest_event_timestamp_seconds{stream="trading",topic="bet-events"}']
    at = of("bet-events").newest_at
    assert at is not None
    assert float(newest) == pytest.approx(at.timestamp())
    assert samples['pitboss_stream_open_dead_letters{stream="trading",topic="bet-events"}'] == "1.0"
    assert samples['pitboss_stream_halted_partitions{stream="wallet",topic="game-rounds"}'] == "1.0"
    assert samples["pitboss_facts_readable"] == "1.0"
    assert any(name.startswith("pitboss_feed_silent_markets{") for name in samples)
    assert "pitboss_stream_messages_total" in page


def halt(stream: str, topic: str, partition: int) -> None:
    Halt.objects.create(
        stream=stream, topic=topic, partition=partition, offset=0, reason="bad", halted_at=datetime.now(UTC)
    )


def lag(topic: str, partition: int) -> float | None:
    labels = {"stream": "trading", "topic": topic, "partition": str(partition)}
    return REGISTRY.get_sample_value("pitboss_stream_lag_messages", labels)
