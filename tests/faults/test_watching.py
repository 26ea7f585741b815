"""The watch over the lanes sees on while Postgres refuses what it writes, or lets it wait; and tells once it can."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from django.conf import settings
from prometheus_client import REGISTRY

from backoffice.streams.jobs import judged_after
from tests.faults.groups import assignments
from tests.faults.locks import held
from tests.faults.test_jobs import SILENCE, alerts
from tests.faults.test_lost_logs import STREAM, TOPIC, count, halt, made_anew, send, streams
from tests.spine import Spine, until
from tests.trading.test_feeds import PLAYING, update

STALLS = "SELECT topic FROM streams_stall WHERE ended_at IS NULL ORDER BY topic"
# Jobs are overdue before a lane is seen to stand still.
HASTY = {"STREAM_STALL_SECONDS": "4", "SILENCE_JUDGED_EVERY": "1", "JOB_LATE_RUNS": "0.5"}
NEVER_DONE = (
    "UPDATE streams_clocked_job SET known_since = now() - interval '3 days', succeeded_at = NULL RETURNING name"
)

LAST_DONE = "UPDATE streams_clocked_job SET succeeded_at = now() - %s::interval WHERE name = %s"


def told_of(spine: Spine, job: str) -> list[str]:
    return [status for status, summary in alerts(spine) if job in summary]


def stalls(spine: Spine) -> list[str]:
    return [topic for (topic,) in spine.rows(STALLS)]


def partitions(spine: Spine) -> list[list[int]]:
    return [found for (found,) in spine.rows("SELECT partitions FROM streams_stall WHERE ended_at IS NULL")]


def gauge(topic: str) -> float:
    return REGISTRY.get_sample_value("pitboss_stream_stalled_seconds", {"stream": STREAM, "topic": topic}) or 0.0


@contextmanager
def doing(spine: Spine, statement: str) -> Iterator[None]:
    with psycopg.connect(spine.database_url, application_name="somebody") as connection:
        connection.execute(statement.encode())
        yield


@pytest.mark.parametrize(
    "locked",
    [
        "streams_clocked_job IN SHARE MODE",
        "streams_clocked_job IN ACCESS EXCLUSIVE MODE",
        "streams_wrong_clock IN ACCESS EXCLUSIVE MODE",
    ],
)
def test_what_else_is_locked_hides_no_stall_and_is_told_when_it_is_not(spine: Spine, locked: str) -> None:
    spine.rows(NEVER_DONE)
    with doing(spine, f"LOCK TABLE {locked}"):
        spine.worker(STREAM, None, **HASTY)
        with held(spine, "trading_bet"):
            send(spine, "held", 4)
            until(lambda: stalls(spine) == [TOPIC], "the stall is told")
    until(lambda: any(SILENCE in summary for _, summary in alerts(spine)), "the job is told")
    until(lambda: stalls(spine) == [], "the stall is over")
    assert count(spine) == 4


def test_a_server_that_takes_no_writes_hides_no_stall(spine: Spine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one is after a fail-over, for a while."""
    spine.rows(NEVER_DONE)
    name = spine.database_url.rpartition("/")[2]
    monkeypatch.setitem(settings.STREAMS, "stall", 3.0)
    monkeypatch.setitem(settings.JOBS, "late", 0.5)
    monkeypatch.setitem(settings.CELERY_BEAT_SCHEDULE, "judge silent providers", {"task": SILENCE, "schedule": 1.0})
    with psycopg.connect(spine.database_url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
        with spine.streaming(STREAM):
            send(spine, "refused", 4)
            until(lambda: gauge(TOPIC) >= 3.0, "the gauge says that it stands still")
            connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
            until(lambda: count(spine) == 4, "it goes on")
            until(lambda: gauge(TOPIC) == 0.0, "the gauge says so")
            until(lambda: alerts(spine), "the job is told")


def test_a_stall_that_cannot_be_told_hides_no_other(
    spine: Spine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(settings.STREAMS, "stall", 2.0)
    topics = [TOPIC, "odds-feed"]
    with spine.streaming(STREAM):
        with held(spine, "trading_bet"), held(spine, "trading_market"):
            send(spine, "held", 4)
            spine.send([update("Winner", timedelta(), **PLAYING)])
            with doing(spine, "LOCK TABLE streams_stall IN SHARE MODE"):
                until(lambda: min(map(gauge, topics)) >= 2.0, "both gauges say that they stand still")
                assert stalls(spine) == []
                refused = "is tried again with each look: canceling statement due to lock timeout"
                until(lambda: caplog.text.count(refused) == len(topics), "it is said of both")
            until(lambda: stalls(spine) == topics, "both are told")
        until(lambda: stalls(spine) == [], "both stalls are over")
    for topic in topics:
        assert caplog.text.count(f" {STREAM}: {topic}[") == 1
    assert caplog.text.count("In Postgres it waits for a lock of ") == len(topics)


def go_over(spine: Spine) -> None:
    """To a topic with fewer partitions and messages, which the lane has and is halted for."""
    made_anew(spine, 1)
    send(spine, "new", 4)
    halt(spine)
    until(lambda: [*assignments(spine, STREAM, TOPIC).values()] == [{0}], "the lane has the new topic")


def test_a_lane_that_went_over_to_a_shorter_topic_is_watched_there(
    spine: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.STREAMS, "stall", 3.0)
    send(spine, "former", 10)
    with spine.streaming(STREAM):
        until(lambda: count(spine) == 10, "the former topic is stored")
        go_over(spine)
        with held(spine, "trading_bet"):
            streams("adopt", STREAM, TOPIC, "--reason", "made anew by mistake")
            until(lambda: gauge(TOPIC) >= 3.0, "the gauge says that it stands still")
            until(lambda: stalls(spine) == [TOPIC], "the stall is told")
        until(lambda: count(spine) == 14, "the new topic is stored whole")
        until(lambda: stalls(spine) == [], "the stall is over")


def test_a_fault_at_the_first_message_of_a_topic_made_anew_halts_the_lane(spine: Spine) -> None:
    send(spine, "former", 10)
    worker = spine.worker(STREAM)
    until(lambda: count(spine) == 10, "the former topic is stored")
    go_over(spine)
    place, admin = TopicPartition(f"{spine.prefix}{TOPIC}", 0, 2), AdminClient({**settings.KAFKA})
    worker.send_signal(signal.SIGSTOP)
    try:
        streams("adopt", STREAM, TOPIC, "--reason", "made anew by mistake")
        admin.delete_records([place])[place].result(30)
    finally:
        worker.send_signal(signal.SIGCONT)

    assert halt(spine)[:2] == ("lost log", 0)


def test_partitions_that_stand_still_later_are_told_beside_the_first(spine: Spine) -> None:
    spine.worker(STREAM, STREAM_STALL_SECONDS="3")
    with held(spine, "trading_bet"):
        send(spine, "first", 2, partition=1)
        until(lambda: partitions(spine) == [[1]], "one partition is told")
        send(spine, "later", 4)
        until(lambda: partitions(spine) == [[0, 1]], "the other one is told, too")
        (told,) = spine.rows("SELECT told FROM streams_stall")
        assert f"{TOPIC}[0, 1] has stored nothing" in told[0]
        assert "6 messages wait" in told[0]
    until(lambda: stalls(spine) == [], "the stall is over")
    assert count(spine) == 6


def test_a_stall_of_partitions_that_the_topic_has_not_is_over(spine: Spine) -> None:
    """As of one that may not be described, of which nobody knows how many it has; and which has fewer."""
    spine.rows(
        "INSERT INTO streams_stall (stream, topic, partitions, told, alert_id, noticed_at)"
        " VALUES (%s, %s, '{6,7}', 'may not be described', gen_random_uuid(), now()) RETURNING id",
        STREAM, TOPIC,
    )  # fmt: skip
    spine.worker(STREAM, STREAM_STALL_SECONDS="3")
    until(lambda: stalls(spine) == [], "the stall is over")


def test_after_postgres_was_away_a_job_has_its_time_again(
    spine: Spine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All jobs are late then, and about to be done: a worker that lived on tells no sooner than one that begins."""
    caplog.set_level("INFO", "backoffice.streams.consume.watching.watchdog")
    monkeypatch.setitem(settings.STREAMS, "stall", 3.0)
    monkeypatch.setitem(settings.JOBS, "late_runs", 1)
    monkeypatch.setitem(settings.CELERY_BEAT_SCHEDULE, "judge silent providers", {"task": SILENCE, "schedule": 4.0})
    server, _, name = spine.database_url.rpartition("/")
    with (
        psycopg.connect(f"{server}/postgres", autocommit=True) as beside,
        psycopg.connect(spine.database_url, autocommit=True) as connection,
        spine.streaming(STREAM),
    ):
        connection.execute(LAST_DONE, ["1 hour", SILENCE])
        until(lambda: told_of(spine, SILENCE) == ["opened"], "the worker is up for long enough to tell")
        connection.execute(LAST_DONE, ["0", SILENCE])
        until(lambda: told_of(spine, SILENCE) == ["opened", "closed"], "the job is done again")
        beside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        try:
            until(lambda: "how far the streams are cannot be read now" in caplog.text, "Postgres is away")
            connection.execute(LAST_DONE, ["1 hour", SILENCE])
        finally:
            back = time.monotonic()
            beside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
        until(lambda: told_of(spine, SILENCE)[2:] == ["opened"], "the job is told, as nobody has done it")

    # Counted from when Postgres did not answer last, which was a little before.
    assert time.monotonic() - back > judged_after(SILENCE).total_seconds() - 3
