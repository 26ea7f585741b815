"""Reconciliation by the clock."""

import logging

from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Retryable
from backoffice.streams.jobs import Undone, clocked

from .run import Busy, reconcile

log = logging.getLogger(__name__)


@clocked("reconcile.newest")
def reconcile_newest() -> None:
    """What is new, and a part of what was checked before; the next run makes up for one that could not."""
    try:
        report = reconcile(full=False, clock=SystemClock())
    except (Busy, Retryable) as reason:
        raise Undone(str(reason)) from reason
    (log.info if report.clean else log.error)("reconciled: %s", report.line())
