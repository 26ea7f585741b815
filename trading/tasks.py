"""The housekeeping of the trading tables, by the clock. It can be run at any time and as often as one likes."""

import logging
from datetime import datetime

from django.conf import settings
from django.db.models import Exists, OuterRef

from backoffice.streams.clocks import PostgresClock
from backoffice.streams.jobs import clocked

from . import services, suspending
from .models import StatusChange

log = logging.getLogger(__name__)


@clocked("trading.purge_status_changes")
def purge_status_changes() -> None:
    """Delete changes of status that nobody follows any more; the markets keep the status they have."""
    if deleted := purge_changed(PostgresClock().now() - settings.STATUS_CHANGES_KEPT):
        log.info("purged %s changes of status", deleted)


def purge_changed(before: datetime) -> int:
    """Of each market the first ones, so that what is left is whole, though its times may go back. Returns how many."""
    kept = StatusChange.objects.filter(market_id=OuterRef("market_id"), id__lt=OuterRef("id"), version_at__gte=before)
    deleted, _ = StatusChange.objects.filter(~Exists(kept), version_at__lt=before).delete()
    return deleted


@clocked("trading.forget_closed_offers")
def forget_closed_offers() -> None:
    """Have the prices of offers forgotten that closed long ago."""
    forgotten = services.forget_closed_offers(PostgresClock().now())
    log.info("%s offers closed long ago; their prices are forgotten", forgotten)


@clocked("trading.judge_silence")
def judge_silence() -> None:
    """Suspend providers that went silent with markets open; release those that are heard again."""
    suspended, released = suspending.judge_silence(PostgresClock().now())
    if suspended or released:
        log.warning("suspended for silence: %s; heard again: %s", suspended or "none", released or "none")
