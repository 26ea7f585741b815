"""Jobs by the clock that are not done are missed, whoever it is that does not do them."""

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import uuid4

import pytest
from celery.app.trace import build_tracer
from celery.schedules import crontab
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client

from backoffice.celery import app
from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Retryable
from backoffice.kernel.locks import JOB, RECONCILE_BY_THE_CLOCK
from backoffice.metrics.jobs import read_jobs
from backoffice.reconcile import tasks as reconciling
from backoffice.streams import tasks
from backoffice.streams.database import connect
from backoffice.streams.jobs import due_after, note_known
from backoffice.streams.models import ClockedJob
from backoffice.streams.tables.partitions import NotMade
from backoffice.streams.tasks import make_partitions

NAMES = sorted(entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values())
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def overdue() -> list[str]:
    return [job.name for job in read_jobs() if job.is_overdue(datetime.now(UTC))]


def succeeded(name: str) -> datetime | None:
    return ClockedJob.objects.get(name=name).succeeded_at


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        (300.0, NOON + timedelta(minutes=5)),
        (crontab(hour="2", minute="10"), datetime(2026, 3, 2, 2, 10, tzinfo=UTC)),
        (crontab(minute="40"), NOON + timedelta(minutes=40)),
    ],
)
def test_a_job_is_due_as_it_is_scheduled(schedule: float | crontab, due: datetime) -> None:
    assert due_after(schedule, NOON) == due


@pytest.mark.usefixtures("database")
def test_all_that_is_scheduled_is_waited_for_from_the_migration_on() -> None:
    assert [(job.name, job.succeeded_at) for job in read_jobs()] == [(name, None) for name in NAMES]
    ClockedJob.objects.filter(name=NAMES[0]).delete()
    before = ClockedJob.objects.get(name=NAMES[1]).known_since

    note_known(apps)

    assert [job.name for job in read_jobs()] == NAMES
    assert ClockedJob.objects.get(name=NAMES[1]).known_since == before


@pytest.mark.usefixtures("spine")
@pytest.mark.parametrize("name", NAMES)
def test_every_job_leaves_when_it_was_done(name: str) -> None:
    app.loader.import_default_modules()

    app.tasks[name]()

    at = succeeded(name)
    assert at is not None
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)


@pytest.mark.usefixtures("spine")
def test_a_job_that_is_overdue_is_told_wherever_one_asks() -> None:
    ClockedJob.objects.update(known_since=datetime.now(UTC), succeeded_at=datetime.now(UTC))
    assert overdue() == []
    ClockedJob.objects.filter(name="reconcile.newest").update(succeeded_at=datetime.now(UTC) - timedelta(hours=3))
    shown, line = StringIO(), StringIO()

    call_command("status", stdout=shown)
    call_command("status", "--line", stdout=line)

    jobs = {job["name"]: job["is_overdue"] for job in Client().get("/health/facts").json()["jobs"]}
    page = Client().get("/metrics").content.decode()
    assert jobs == {name: name == "reconcile.newest" for name in NAMES}
    assert "! OVERDUE        reconcile.newest (last done 3 h ago)" in shown.getvalue()
    assert "OVERDUE reconcile.newest" in line.getvalue()
    assert '\npitboss_job_overdue{job="reconcile.newest"} 1.0\n' in page
    assert '\npitboss_job_overdue{job="streams.make_partitions"} 0.0\n' in page


@pytest.mark.usefixtures("spine")
def test_of_a_job_that_is_overdue_because_a_person_does_its_work_that_is_said() -> None:
    long_ago = datetime.now(UTC) - timedelta(days=1)
    ClockedJob.objects.filter(name="reconcile.newest").update(known_since=long_ago, succeeded_at=None)

    with closing(connect()) as by_hand:
        by_hand.execute("SELECT pg_advisory_lock(%s)", [RECONCILE_BY_THE_CLOCK])
        shown = StringIO()
        call_command("status", stdout=shown)
        ready, facts = Client().get("/health/ready").json(), Client().get("/health/facts").json()
        pid = by_hand.execute("SELECT pg_backend_pid()").fetchone()

    assert pid
    told = f"(process {pid[0]}"
    assert "by hand" in shown.getvalue()
    assert told in " ".join(shown.getvalue().split())
    assert "reconcile.newest, never done (its work is done by hand in " in ready["jobs"]
    assert told in ready["jobs"]
    assert [told in str(job["by_hand"]) for job in facts["jobs"]] == [
        job["name"] == "reconcile.newest" for job in facts["jobs"]
    ]
    (job,) = [job for job in read_jobs() if job.name == "reconcile.newest"]
    assert job.by_hand == ""


@pytest.mark.usefixtures("spine")
def test_a_job_that_is_at_work_itself_is_not_said_to_be_done_by_hand() -> None:
    """It holds what a person would hold as well."""
    with closing(connect()) as job:
        job.execute("SELECT pg_advisory_lock(%s, hashtext('reconcile.newest'))", [JOB])
        job.execute("SELECT pg_advisory_lock(%s)", [RECONCILE_BY_THE_CLOCK])

        assert {job.by_hand for job in read_jobs()} == {""}


@pytest.mark.usefixtures("spine")
def test_what_runs_often_is_late_when_two_runs_were_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.JOBS, "late_runs", 2.0)
    ClockedJob.objects.update(known_since=Now(), succeeded_at=Now())
    found = {job.name: job.limit for job in read_jobs()}
    assert found["trading.judge_silence"] == timedelta(seconds=20)
    assert found["reconcile.newest"] == timedelta(seconds=600)
    assert found["streams.make_partitions"] == found["live.clear_sessions"] == timedelta(seconds=900)
    assert Client().get("/health/ready").json()["jobs"] == "ok"

    ClockedJob.objects.update(succeeded_at=Now() - timedelta(seconds=40))

    told = Client().get("/health/ready").json()["jobs"]
    assert re.fullmatch(r"overdue: trading\.judge_silence, last done 4\d s ago", told)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("column", ["succeeded_at", "known_since"])
def test_a_job_that_was_done_at_a_time_that_is_still_to_come_is_overdue(column: str) -> None:
    ClockedJob.objects.update(known_since=datetime.now(UTC), succeeded_at=None)
    ClockedJob.objects.filter(name=NAMES[0]).update(**{column: datetime.now(UTC) + timedelta(days=30)})

    assert overdue() == NAMES[:1]


@pytest.mark.usefixtures("spine")
def test_a_clock_that_is_ahead_dates_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) + timedelta(days=30))
    app.loader.import_default_modules()

    app.tasks["trading.judge_silence"]()

    at = succeeded("trading.judge_silence")
    assert at is not None
    assert at < datetime.now(UTC) + timedelta(minutes=1)


def done_as_beat_sends_it(name: str) -> bool:
    """Whether a worker that takes it does the work."""
    before = succeeded(name)
    app.loader.import_default_modules()
    told = build_tracer(name, app.tasks[name], app=app)(str(uuid4()), [], {}, {})
    assert told.info is None
    return succeeded(name) != before


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("began", "is_done"), [("290 seconds", True), ("160 seconds", True), ("140 seconds", False), ("-9 days", True)]
)
def test_a_job_comes_right_behind_another_run_by_when_that_began(began: str, is_done: bool) -> None:
    """One that takes most of its interval misses none of its runs."""
    name = "trading.judge_silence"
    every = f"interval '{began}' * {settings.SILENCE_JUDGED_EVERY} / 300"
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE streams_clocked_job SET began_at = now() - {every}, succeeded_at = now()")

    assert done_as_beat_sends_it(name) is is_done


@pytest.mark.usefixtures("database")
def test_a_job_is_done_once_where_it_was_sent_twice() -> None:
    assert [done_as_beat_sends_it("streams.purge_stops") for _ in range(2)] == [True, False]


@pytest.mark.usefixtures("database")
def test_a_job_that_could_not_do_its_work_has_not_succeeded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotMade("metrics_window_202603: locked")

    def wait(*_: object, **__: object) -> None:
        raise Retryable("Kafka is away")

    monkeypatch.setattr(tasks, "ensure_partitions", refuse)
    monkeypatch.setattr(reconciling, "reconcile", wait)

    make_partitions()
    reconciling.reconcile_newest()

    assert (succeeded("streams.make_partitions"), succeeded("reconcile.newest")) == (None, None)


@pytest.mark.usefixtures("database")
def test_a_job_that_finds_postgres_away_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def first_taken_back(_: datetime) -> list[str]:
        tries.append(1)
        if len(tries) == 1:
            with connect() as other, transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 50")
                cursor.execute("SELECT pg_advisory_xact_lock(4711)")
                other.execute("SELECT pg_advisory_lock(4711)")
                cursor.execute("SELECT 1")
        return []

    monkeypatch.setattr(tasks, "ensure_partitions", first_taken_back)

    make_partitions.apply()

    assert len(tries) == 2
    assert succeeded("streams.make_partitions") is not None


@pytest.mark.usefixtures("database")
def test_a_job_that_fails_by_itself_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def ask_for_what_is_not_there(_: datetime) -> list[str]:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM nowhere")
        return []

    monkeypatch.setattr(tasks, "ensure_partitions", ask_for_what_is_not_there)

    make_partitions.apply()

    assert len(tries) == 1
    assert succeeded("streams.make_partitions") is None
