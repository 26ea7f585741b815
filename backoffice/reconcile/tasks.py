"""Reconciliation by the clock."""

import logging

from celery import shared_task

from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Retryable

from .run import Busy, reconcile

log = logging.getLogger(__name__)


@shared_task(name="reconcile.newest")
def reconcile_newest() -> None:
    """What is new, and a part of what was checked before; the next run makes up for one that could not."""
    try:
        report = reconcile(full=False, clock=SystemClock())
    except Busy as busy:
        log.info("%s", busy)
    except Retryable as away:
        log.warning("reconciliation waits: %s", away)
    else:
        (log.info if report.clean else log.error)("reconciled: %s", report.line())
