"""Runs and findings of long ago go; what the next run goes on from stays."""

from datetime import datetime, timedelta
from uuid import uuid4

from django.contrib.sessions.models import Session

from backoffice.kernel.clock import SystemClock
from backoffice.live.tasks import clear_sessions
from backoffice.reconcile.models import Finding, Run
from backoffice.reconcile.tasks import purge


def run(at: datetime, *, full: bool = False, finished: bool = True) -> int:
    return Run.objects.create(
        started_at=at, finished_at=at if finished else None, full=full, is_clean=True, checked={}, total=0,
        differences=[],
    ).pk  # fmt: skip


def test_old_runs_go_but_the_last_of_each_kind(database: str) -> None:
    now = SystemClock().now()
    run(now - timedelta(days=200))
    run(now - timedelta(days=300), full=True)
    kept = {
        run(now - timedelta(days=199), full=True, finished=False),
        run(now - timedelta(days=91)),
    }

    purge()

    assert set(Run.objects.values_list("pk", flat=True)) == kept


def test_findings_go_a_year_after_they_ended(database: str) -> None:
    now = SystemClock().now()
    long_ago = now - timedelta(days=900)
    for ended_at in (now - timedelta(days=366), now - timedelta(days=364), None):
        Finding.objects.create(
            id=uuid4(), alert_id=uuid4(), difference={}, first_seen_at=long_ago, last_seen_at=long_ago,
            ended_at=ended_at,
        )  # fmt: skip

    purge()

    left = [finding.ended_at for finding in Finding.objects.all()]
    assert sorted(left, key=str) == sorted([now - timedelta(days=364), None], key=str)


def test_expired_sessions_are_cleared(database: str) -> None:
    now = SystemClock().now()
    for name, days in (("old", -1), ("new", 1)):
        Session.objects.create(session_key=name, session_data="", expire_date=now + timedelta(days=days))

    clear_sessions()

    assert [session.session_key for session in Session.objects.all()] == ["new"]
