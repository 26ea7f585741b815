"""Postgres answers and does not store (a full disk, no writes): nothing is lost, doubled or asked for too often."""

import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from backoffice.streams.consume.assignment import Assignment
from tests.faults.groups import assignments
from tests.faults.test_lost_logs import STREAM, TOPIC, count, send
from tests.spine import Spine, frozen, until

# What a sequence has given stays given when the transaction is undone.
REFUSES = """
    CREATE SEQUENCE tries;
    CREATE SEQUENCE sessions;
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM nextval('tries'), setval('sessions', pg_backend_pid());
        RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{code}';
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON trading_bet FOR EACH STATEMENT EXECUTE FUNCTION refuse()
"""
FULL = "53100"
WAITS = "waits for its sink: could not extend file"


def refuse(spine: Spine, code: str = FULL) -> None:
    with psycopg.connect(spine.database_url) as connection:
        connection.execute(REFUSES.format(code=code).encode())


def take_again(spine: Spine) -> None:
    with psycopg.connect(spine.database_url) as connection:
        connection.execute("DROP TRIGGER refuse ON trading_bet")


def tries(spine: Spine, least: int) -> int:
    """The session of the last of them, once there are so many."""
    until(lambda: spine.value("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM tries") >= least, "it tries")
    return int(spine.value("SELECT last_value FROM sessions"))


def stored_once(spine: Spine, expected: int) -> None:
    until(lambda: count(spine) == expected, f"{expected} are stored")
    assert spine.value("SELECT count(*) FROM streams_repeat") == 0
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 0
    assert spine.value("SELECT count(*) FROM streams_halt") == 0


@pytest.mark.parametrize(("code", "is_sound"), [(FULL, True), ("40P01", True), ("57014", True), ("25006", False)])
def test_what_is_refused_is_tried_again_later_and_later(
    spine: Spine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: str, is_sound: bool
) -> None:
    moved, move = [], Assignment.move

    def noted(self: Assignment, partition: int, offset: int) -> None:
        moved.append(partition)
        move(self, partition, offset)

    monkeypatch.setattr(Assignment, "move", noted)
    caplog.set_level("INFO")
    send(spine, "first", 3)
    with spine.streaming(STREAM):
        until(lambda: count(spine) == 3, "it runs")
        refuse(spine, code)
        send(spine, "more", 50)
        session, began, reread = tries(spine, 2), time.monotonic(), len(moved)

        assert (tries(spine, 6) == session) == is_sound
        assert time.monotonic() - began > 3
        assert (len(moved) == reread) == is_sound
        take_again(spine)
        stored_once(spine, 53)

    lane = f"{spine.prefix}{STREAM}.{TOPIC}"
    assert [line for line in caplog.messages if WAITS in line] == [f"{lane} {WAITS}"]
    assert len([line for line in caplog.messages if line.startswith(f"{lane} stores again, after ")]) == 1


def test_another_worker_takes_over_during_a_pause(spine: Spine) -> None:
    send(spine, "first", 3)
    slow = spine.worker(STREAM)
    until(lambda: count(spine) == 3, "it runs")
    refuse(spine)
    send(spine, "more", 50)
    tries(spine, 3)

    with frozen(slow):
        # Frozen between two tries, or in one, which Postgres takes back.
        slow_has_the_lock = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'pitboss-stream%%' AND state LIKE 'idle in transaction%%'"
        )
        until(lambda: not spine.value(slow_has_the_lock), "it holds nothing")
        take_again(spine)
        spine.worker(STREAM)
        stored_once(spine, 53)

    send(spine, "last", 4)
    stored_once(spine, 57)


def test_partitions_move_and_a_worker_ends_while_it_is_refused(spine: Spine, tmp_path: Path) -> None:
    send(spine, "first", 3, partition=0)
    send(spine, "second", 3, partition=1)
    worker = spine.worker(STREAM)
    until(lambda: count(spine) == 6, "it runs")
    refuse(spine)
    send(spine, "more", 5, partition=0)
    send(spine, "others", 5, partition=1)
    tries(spine, 4)
    other = spine.worker(STREAM)

    def is_shared() -> bool:
        with suppress(KeyError):
            return sorted(map(len, assignments(spine, STREAM, TOPIC).values())) == [1, 1]
        return False

    until(is_shared, "each has one")
    other.terminate()
    assert other.wait(20) == 0
    worker.terminate()
    assert worker.wait(20) == 0

    take_again(spine)
    spine.worker(STREAM)
    stored_once(spine, 16)


def test_the_alert_of_a_stall_says_why_nothing_is_stored(spine: Spine) -> None:
    send(spine, "first", 3)
    spine.worker(STREAM, STREAM_STALL_SECONDS="3")
    until(lambda: count(spine) == 3, "it runs")
    refuse(spine)
    send(spine, "more", 5)

    told = "SELECT told FROM streams_stall WHERE ended_at IS NULL"
    until(lambda: spine.rows(told), "it is told")

    assert f"its writer {WAITS} for " in spine.value(told)
