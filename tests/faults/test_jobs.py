"""Jobs that hang, in real workers: none of them keeps another from its work, or its worker from ending."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.conf import settings

from backoffice.celery import app
from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from tests.spine import Spine, frozen, until

SILENCE = "trading.judge_silence"
WAITS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND application_name = %s"
)
# For so long that whoever waits hangs.
HANGS = {"JOB_LOCK_SECONDS": "3600", "SILENCE_JUDGED_EVERY": "3600", "DATABASE_SILENT_SECONDS": "3600"}


def send(spine: Spine, *jobs: str) -> None:
    """As beat does."""
    for job in jobs:
        app.send_task(job, queue=f"{spine.prefix}celery")


def done(spine: Spine, job: str) -> bool:
    return bool(spine.value("SELECT count(succeeded_at) FROM streams_clocked_job WHERE name = %s", job))


@contextmanager
def locked(spine: Spine, *tables: str) -> Iterator[None]:
    with psycopg.connect(spine.database_url, application_name="somebody") as other:
        for table in tables:
            other.execute(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE')
        yield


def waits(spine: Spine, job: str) -> bool:
    return bool(spine.value(WAITS, f"pitboss job {job}"))


def raised(spine: Spine) -> list[dict[str, Any]]:
    rows = spine.rows("SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert' ORDER BY id")
    found = [decode(bytes(value), schema("ComplianceAlert")) for (value,) in rows]
    return [alert for alert in found if alert["kind"] == "job_overdue"]


def alerts(spine: Spine) -> list[tuple[str, str]]:
    return [(alert["status"], alert["summary"]) for alert in raised(spine)]


def test_jobs_that_hang_keep_neither_the_others_nor_the_worker(spine: Spine, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as output:
        worker = spine.worker("outbox", output.fileno(), **HANGS)
    with locked(spine, "trading_providersuspension", "streams_halt", "django_session"):
        hanging = [SILENCE, "streams.purge_stops", "live.clear_sessions"]
        send(spine, *hanging)
        until(lambda: all(waits(spine, job) for job in hanging), "they hang")

        send(spine, *hanging * 5, "streams.purge_outbox", "streams.make_partitions")
        until(lambda: done(spine, "streams.purge_outbox") and done(spine, "streams.make_partitions"), "others are done")
        assert "is not begun: it is at work in this process since" in (tmp_path / "log").read_text()

        os.kill(worker.pid, signal.SIGTERM)
        assert worker.wait(10) == 0

    assert [done(spine, job) for job in hanging] == [False, False, False]
    spine.worker("outbox")
    until(lambda: all(done(spine, job) for job in hanging), "what was not done is done by another worker")


def test_a_job_gives_a_lock_up_and_the_next_run_is_made(spine: Spine, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as output:
        spine.worker("outbox", output.fileno(), JOB_LOCK_SECONDS="0.3")
    with locked(spine, "trading_providersuspension"):
        send(spine, SILENCE)
        told = f"{SILENCE} is not done; the next run makes up for it: canceling statement due to lock timeout"
        until(lambda: told in (tmp_path / "log").read_text(), "it gives up")

    send(spine, SILENCE)

    until(lambda: done(spine, SILENCE), "it is done")


def test_a_job_runs_once_at_a_time_and_the_second_says_who_has_it(spine: Spine, tmp_path: Path) -> None:
    logs = [tmp_path / "one", tmp_path / "other"]
    for log in logs:
        with log.open("wb") as output:
            spine.worker("outbox", output.fileno(), **HANGS)
    with locked(spine, "trading_providersuspension"):

        def is_told() -> bool:
            send(spine, SILENCE)
            return any(" is not begun: it is at work in pitboss job " in log.read_text() for log in logs)

        until(is_told, "another worker says who has it")

        told = next(line for log in logs for line in log.read_text().splitlines() if "in pitboss job" in line)
        assert f"INFO backoffice.streams.jobs {SILENCE} is not begun: it is at work in pitboss job {SILENCE} (" in told
        assert told.endswith(" UTC")
        # Whoever has the turn may not have come to the table yet.
        until(lambda: waits(spine, SILENCE), "it is at work")
        assert spine.value(WAITS, f"pitboss job {SILENCE}") == 1


def test_a_frozen_worker_loses_its_turn(spine: Spine) -> None:
    mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
    worker = spine.worker("outbox", JOB_LOCK_SECONDS="60", SILENCE_JUDGED_EVERY="60", DATABASE_SILENT_SECONDS="2")
    with locked(spine, "trading_providersuspension"):
        send(spine, SILENCE)
        until(lambda: waits(spine, SILENCE), "it is at work")
        os.killpg(worker.pid, signal.SIGSTOP)
    with frozen(worker):
        until(lambda: not spine.value(mine, f"pitboss job {SILENCE}"), "Postgres has taken its session back")
        spine.worker("outbox")
        send(spine, SILENCE)
        until(lambda: done(spine, SILENCE), "another one has done it")


def test_what_runs_often_is_late_within_seconds_and_an_alert_until_it_is_done(spine: Spine) -> None:
    spine.worker("outbox", SILENCE_JUDGED_EVERY="1", JOB_LATE_RUNS="2", JOB_LATE_AFTER="3600")
    until(lambda: len(alerts(spine)) == 1, "it is told")
    ((status, summary),) = alerts(spine)
    assert status == "opened"
    assert summary.startswith(f"The job {SILENCE} is overdue: it was never done. No worker is at it now")

    send(spine, SILENCE)

    until(lambda: len(alerts(spine)) >= 2, "that it is over is told")
    assert alerts(spine)[1] == ("closed", f"The job {SILENCE} was done again.")


def test_after_an_outage_a_worker_tells_only_of_what_it_has_seen_not_done(spine: Spine) -> None:
    """Those that run by the hour are as late, but may come as soon as beat is there too."""
    spine.rows("UPDATE streams_clocked_job SET succeeded_at = now() - interval '3 days' RETURNING name")

    spine.worker("outbox", SILENCE_JUDGED_EVERY="1", JOB_LATE_RUNS="2", JOB_LATE_AFTER="3600")
    until(lambda: alerts(spine), "what it has seen is told")

    (alert,) = raised(spine)
    assert (alert["evidence"], alert["severity"]) == (f'{{"job": "{SILENCE}"}}', "high")


def test_the_alert_says_who_is_at_it_and_what_it_waits_for(spine: Spine) -> None:
    spine.worker("outbox", None, **HANGS | {"SILENCE_JUDGED_EVERY": "8", "JOB_LATE_RUNS": "0.5"})
    with locked(spine, "trading_providersuspension"):

        def is_told() -> bool:
            send(spine, SILENCE)
            return bool(alerts(spine))

        until(is_told, "it is told")

    ((_, summary),) = alerts(spine)
    assert f"It is at work in pitboss job {SILENCE} (process " in summary
    assert "it waits for a lock of" in summary
    assert "somebody" in summary


TELLS = """
    CREATE TABLE told ();
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO told DEFAULT VALUES; RETURN NEW; END $$;
    CREATE TRIGGER tell AFTER UPDATE OF succeeded_at ON streams_clocked_job
        FOR EACH ROW WHEN (NEW.name = 'trading.judge_silence') EXECUTE FUNCTION tell()
"""


def test_what_has_waited_for_a_worker_is_done_once(spine: Spine) -> None:
    with psycopg.connect(spine.database_url) as connection:
        connection.execute(TELLS)
    send(spine, *[SILENCE] * 30, "streams.purge_outbox")

    spine.worker("outbox", SILENCE_JUDGED_EVERY="600")

    until(lambda: done(spine, "streams.purge_outbox") and done(spine, SILENCE) and not queued(spine), "all is taken")
    assert spine.value("SELECT count(*) FROM told") == 1


def queued(spine: Spine) -> int:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return int(client.llen(f"{spine.prefix}celery"))
