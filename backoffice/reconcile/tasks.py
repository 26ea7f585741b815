"""Reconciliation by the clock."""

import logging
from datetime import datetime

from django.conf import settings

from backoffice.kernel.errors import Retryable
from backoffice.streams.clocks import PostgresClock
from backoffice.streams.jobs import Undone, clocked

from .models import Finding, Run
from .runs.run import Busy, reconcile

log = logging.getLogger(__name__)


@clocked("reconcile.newest")
def reconcile_newest() -> None:
    """What is new, and a part of what was checked before; the next run makes up for one that could not."""
    try:
        report = reconcile(full=False, clock=PostgresClock())
    except (Busy, Retryable) as reason:
        raise Undone(str(reason)) from reason
    if report.clean:
        log.info("reconciled: %s", report.brief())
    else:
        log.error("reconciled: %s; `manage.py findings list` shows what stands open", report.brief())


@clocked("reconcile.purge")
def purge() -> None:
    """Delete runs of long ago and findings that ended then; the last run of each kind stays, to be gone on with."""
    now = PostgresClock().now()
    runs = purge_runs(now - settings.RUNS_KEPT)
    findings, _ = Finding.objects.filter(ended_at__lt=now - settings.FINDINGS_KEPT).delete()
    if runs or findings:
        log.info("purged %s runs and %s findings", runs, findings)


def purge_runs(before: datetime) -> int:
    """Returns how many."""
    last = [Run.objects.filter(full=full).order_by("-started_at").values("pk")[:1] for full in (False, True)]
    deleted, _ = Run.objects.filter(started_at__lt=before).exclude(pk__in=last[0]).exclude(pk__in=last[1]).delete()
    return deleted
