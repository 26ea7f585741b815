"""Streams that store nothing although there is work, seen without a worker: there may be none that could tell."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.core.management import call_command
from django.test import Client, override_settings

from backoffice.localstack import ports
from backoffice.metrics.lag import Lag, ask_lag
from backoffice.streams.models import Halt, Offset
from tests.spine import Spine, kill, until

PLACE = ("trading", "bet-events")


@pytest.fixture
def hasty(spine: Spine) -> Iterator[Spine]:
    """A spine whose streams may stand still for no more than a moment."""
    with override_settings(STREAMS=settings.STREAMS | {"stall": 0.05}):
        yield spine


def asked(at: datetime | None = None) -> Lag:
    lag = ask_lag(at or datetime.now(UTC))
    assert lag is not None
    return lag


def samples() -> dict[str, str]:
    page = Client().get("/metrics").content.decode()
    return dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("status", *arguments, stdout=out)
    return out.getvalue()


def test_a_worker_that_was_killed_is_missed_by_everybody_who_asks(hasty: Spine) -> None:
    worker = hasty.worker("trading")
    hasty.send_bytes("bet-events", [b"junk"], partition=0)
    until(lambda: not hasty.lag("trading"), "the first is stored")
    kill(worker)

    hasty.send_bytes("bet-events", [b"junk"] * 8, partition=0)
    until(lambda: asked().standing.get(PLACE) == (0,), "it is seen to stand still")

    ready = Client().get("/health/ready")
    facts = Client().get("/health/facts").json()
    topics = {(topic["stream"], topic["topic"]): topic for topic in facts["topics"]}
    places = '{stream="trading",topic="bet-events"}'
    told = samples()
    assert (ready.status_code, ready.json()["streams"]) == (200, "stand still: trading: bet-events")
    assert facts["streams"] == "stand still: trading: bet-events"
    assert (topics[PLACE]["lag"], topics[PLACE]["stalled"]) == (8, [0])
    assert told[f"pitboss_stream_waiting_messages{places}"] == "8.0"
    assert told[f"pitboss_stream_stalled_partitions{places}"] == "1.0"
    assert told["pitboss_lag_readable"] == "1.0"
    assert "! STALLED        trading: bet-events" in said()
    assert "STALLED trading: bet-events" in said("--line")
    assert json.loads(said("--json"))["stalled"] == ["trading: bet-events"]

    hasty.drain("trading")
    assert asked().standing == {}
    assert asked().waiting[PLACE] == 0


def test_a_place_that_was_moved_at_a_time_that_is_still_to_come_hides_no_standstill(hasty: Spine) -> None:
    hasty.send_bytes("bet-events", [b"junk"], partition=0)
    hasty.drain("trading")
    Offset.objects.update(updated_at=datetime.now(UTC) + timedelta(hours=2))

    hasty.send_bytes("bet-events", [b"junk"] * 8, partition=0)

    until(lambda: asked().standing.get(PLACE) == (0,), "it is seen to stand still")


def test_a_topic_that_was_deleted_while_no_worker_lives_is_missed_too(spine: Spine) -> None:
    spine.send_bytes("bet-events", [b"junk"], partition=0)
    spine.drain("trading")
    name, admin = f"{spine.prefix}bet-events", AdminClient({**settings.KAFKA})
    admin.delete_topics([name])[name].result(30)

    until(lambda: PLACE not in asked().waiting, "Kafka has it no more")

    assert asked().standing[PLACE] == (0, 1)
    assert "trading: bet-events" in Client().get("/health/ready").json()["streams"]
    spine.make_topic("bet-events")


def test_topics_that_were_never_begun_may_be_missing(spine: Spine) -> None:
    name, admin = f"{spine.prefix}bet-events", AdminClient({**settings.KAFKA})
    admin.delete_topics([name])[name].result(30)

    until(lambda: PLACE not in asked().waiting, "Kafka has it no more")

    assert not any(asked().standing.values())
    assert Client().get("/health/ready").json()["streams"] == "ok"
    spine.make_topic("bet-events")


def test_a_stream_that_no_worker_ever_began_is_missed_too(hasty: Spine) -> None:
    hasty.send_bytes("bet-events", [b"junk"] * 3, partition=1)

    until(lambda: asked().standing.get(PLACE) == (1,), "it is seen to stand still")

    assert asked().waiting[PLACE] == 3


def test_what_came_a_moment_ago_to_a_topic_that_was_quiet_for_long_is_no_standstill(spine: Spine) -> None:
    spine.send_bytes("bet-events", [b"junk"], partition=0)
    spine.drain("trading")
    Offset.objects.update(updated_at=datetime.now(UTC) - timedelta(days=1))
    spine.send_bytes("bet-events", [b"junk"], partition=0)

    lag = asked()

    assert (lag.waiting[PLACE], lag.standing) == (1, {})
    later = asked(datetime.now(UTC) + timedelta(seconds=settings.STREAMS["stall"] + 30))
    assert later.standing == {PLACE: (0,)}


def test_who_stores_is_not_standing_however_much_is_left(hasty: Spine) -> None:
    hasty.send_bytes("bet-events", [b"junk"] * 20, partition=0)
    until(lambda: asked().standing.get(PLACE) == (0,), "all of it is old")
    Offset.objects.create(
        stream="trading", topic="bet-events", partition=0, next=5, updated_at=datetime.now(UTC) + timedelta(seconds=20)
    )

    lag = asked()

    assert (lag.waiting[PLACE], lag.standing) == (15, {})


def test_a_halted_partition_is_told_as_halted_and_not_as_ok(hasty: Spine) -> None:
    hasty.send_bytes("bet-events", [b"junk"] * 3, partition=1)
    Halt.objects.create(
        stream="trading", topic="bet-events", partition=1, offset=0, reason="bad", halted_at=datetime.now(UTC)
    )
    until(lambda: asked().standing.get(PLACE) == (1,), "it stands")

    ready = Client().get("/health/ready")

    assert (ready.status_code, ready.json()["streams"]) == (200, "are halted: trading: bet-events")
    assert json.loads(said("--json"))["stalled"] == []


def test_without_kafka_nobody_says_that_the_streams_are_well(spine: Spine) -> None:
    nowhere: dict[str, Any] = settings.KAFKA | {"bootstrap.servers": f"127.0.0.1:{ports.choose()}"}
    with override_settings(KAFKA=nowhere):
        assert Client().get("/health/ready").json()["streams"].startswith("unknown without Kafka")
        assert samples()["pitboss_lag_readable"] == "0.0"
