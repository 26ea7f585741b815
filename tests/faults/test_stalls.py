"""A lane that has work and stores nothing says so by itself, whatever it waits for, and once."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from prometheus_client import REGISTRY

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from backoffice.localstack.stack import Stack
from tests.faults.locks import held, until_one_waits
from tests.faults.test_lost_logs import STREAM, TOPIC, count, send
from tests.spine import Spine, stopped, until

OPEN = "SELECT topic, partitions, told FROM streams_stall WHERE ended_at IS NULL"
SOON = "3"


def told(spine: Spine) -> tuple[str, list[int], str]:
    until(lambda: spine.rows(OPEN), "the stall is told")
    ((topic, partitions, text),) = spine.rows(OPEN)
    return topic, partitions, text


def alerts(spine: Spine) -> list[tuple[Any, ...]]:
    """Of stalls: which alert, and what became of it."""
    rows = spine.rows("SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert' ORDER BY id")
    found = [decode(bytes(value), schema("ComplianceAlert")) for (value,) in rows]
    return [(alert["alert_id"], alert["status"]) for alert in found if alert["kind"] == "stream_stalled"]


def test_a_writer_that_waits_for_a_lock_is_an_alert_until_it_goes_on(spine: Spine) -> None:
    send(spine, "first", 3)
    spine.worker(STREAM, STREAM_STALL_SECONDS=SOON)
    until(lambda: count(spine) == 3, "it runs")

    with held(spine, "trading_bet"):
        send(spine, "held", 4)
        until_one_waits(spine)
        topic, partitions, text = told(spine)
        assert (topic, partitions) == (TOPIC, [0])
        assert "4 messages wait" in text
        assert "its writer stores a batch for" in text
    until(lambda: not spine.rows(OPEN), "the stall is over")

    assert count(spine) == 7
    assert [status for _, status in alerts(spine)] == ["opened", "closed"]
    assert len({alert for alert, _ in alerts(spine)}) == 1


def test_the_alert_names_who_blocks_and_how_to_end_that_and_nobody_s_name(spine: Spine) -> None:
    send(spine, "first", 3)
    spine.worker(STREAM, STREAM_STALL_SECONDS=SOON)
    until(lambda: count(spine) == 3, "it runs")
    tool = psycopg.connect(spine.database_url, application_name="somebody's tool")
    pid = tool.info.backend_pid
    tool.execute("LOCK TABLE trading_bet IN SHARE MODE")
    tool.execute("SELECT count(*) FROM trading_bet WHERE channel = 'Mustermann'")

    send(spine, "held", 4)
    text = told(spine)[2]
    (alert,) = spine.rows("SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert'")
    summary = decode(bytes(alert[0]), schema("ComplianceAlert"))["summary"]
    spine.rows("SELECT pg_terminate_backend(%s)", pid)
    tool.close()

    assert f"it waits for a lock of {pid} (somebody's tool; idle in transaction; that since " in text
    assert "waited for: trading_bet" in text
    assert "runs or ran: SELECT count(*) FROM trading_bet WHERE channel =" in text
    assert "Mustermann" not in text
    assert f"`SELECT pg_terminate_backend({pid})`" in text
    assert summary == text
    until(lambda: count(spine) == 7, "it goes on by itself")
    until(lambda: not spine.rows(OPEN), "the stall is over")


def test_a_lane_that_waits_for_a_person_is_halted_and_does_not_stand_still(spine: Spine) -> None:
    spine.send_bytes(TOPIC, [b"junk"] * 30, partition=0)
    spine.worker(STREAM, STREAM_STALL_SECONDS=SOON)
    until(lambda: spine.rows("SELECT 1 FROM streams_halt WHERE resumed_at IS NULL"), "the partition is halted")

    with held(spine, "trading_bet"):
        send(spine, "held", 1, partition=1)
        assert told(spine)[1] == [1]


@pytest.mark.faults
@pytest.mark.xdist_group("own_stack")
def test_a_reader_that_waits_for_the_registry_is_an_alert_that_says_so(faulty_spine: Spine, own_stack: Stack) -> None:
    spine = faulty_spine
    send(spine, "first", 3)
    own_stack.part("registry").stop()
    spine.worker(STREAM, STREAM_STALL_SECONDS=SOON)

    text = told(spine)[2]
    own_stack.part("registry").start()

    assert "schema registry" in text
    until(lambda: count(spine) == 3, "it goes on", 120)
    until(lambda: not spine.rows(OPEN), "the stall is over")


@pytest.mark.faults
@pytest.mark.xdist_group("own_stack")
def test_a_database_that_hangs_is_seen_in_the_gauge_where_no_alert_can_be_written(
    faulty_spine: Spine, own_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not stopped but frozen: every question to it waits for ever, that of the watch too."""
    spine = faulty_spine
    send(spine, "first", 3)
    monkeypatch.setitem(settings.STREAMS, "stall", 3.0)
    with spine.streaming(STREAM):
        until(lambda: count(spine) == 3, "it runs")
        with stopped(*_backends(spine)):
            send(spine, "held", 2)
            until(lambda: _gauge() >= 3.0, "the gauge says that it stands still")
        until(lambda: count(spine) == 5, "it goes on")
        until(lambda: _gauge() == 0.0, "the gauge says so")


def _gauge() -> float:
    return REGISTRY.get_sample_value("pitboss_stream_stalled_seconds", {"stream": STREAM, "topic": TOPIC}) or 0.0


def _backends(spine: Spine) -> list[int]:
    """The processes of Postgres that serve the streams, and the one that makes new ones."""
    with psycopg.connect(spine.database_url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND starts_with(application_name, 'pitboss-stream')",
        ).fetchall()
        status = Path(f"/proc/{connection.info.backend_pid}/stat").read_text()
    return [*(int(str(pid)) for (pid,) in rows), int(status.rpartition(")")[2].split()[1])]
