"""The housekeeping of the trading tables, by the clock. It can be run at any time and as often as one likes."""

import logging
from datetime import datetime

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Least

from backoffice.streams.clocks import PostgresClock
from backoffice.streams.jobs import clocked

from . import services, suspending
from .models import FeedRun, Market, StatusChange
from .selectors import TRADED

log = logging.getLogger(__name__)


@clocked("trading.purge_status_changes")
def purge_status_changes() -> None:
    """Delete changes of status that nobody follows any more; the markets keep the status they have."""
    if deleted := purge_changed(PostgresClock().now() - settings.STATUS_CHANGES_KEPT):
        log.info("purged %s changes of status", deleted)


def purge_changed(before: datetime) -> int:
    """Of each market the first ones, so that what is left is whole, though its times may go back; and those that came
    too late. Returns how many.
    """
    whole = StatusChange.objects.filter(is_late=False)
    kept = whole.filter(market_id=OuterRef("market_id"), id__lt=OuterRef("id"), version_at__gte=before)
    deleted, _ = StatusChange.objects.filter(~Exists(kept) | Q(is_late=True), version_at__lt=before).delete()
    return deleted


@clocked("trading.purge_feed_runs")
def purge_feed_runs() -> None:
    """Delete the runs of feeds that are long over: whoever names each of theirs anew would leave a row for each."""
    if deleted := purge_begun(PostgresClock().now() - settings.FEED_RUNS_KEPT):
        log.info("purged %s runs of feeds", deleted)


def purge_begun(before: datetime) -> int:
    """Those that began before a moment, by the log and by when they were read, have told no market since, and have no
    undecided one that an earlier run may have left open. Returns how many. One of which nobody is sure is kept: what a
    run tells that is at work counts by its id. A rebuild brings back what the log still has, until the next time.
    """
    nobody_knows = Q(version_appended_at=None, version_taken_at=None)
    since = Q(version_appended_at__gte=before) | Q(version_taken_at__gte=before)
    may_tell = Exists(Market.objects.filter(nobody_knows | since, run=OuterRef("run")))
    undecided = Market.objects.filter(provider=OuterRef("provider"), status__in=TRADED)
    is_named = ~Q(subscription="")
    is_over = (~is_named & ~Exists(undecided)) | (
        is_named & ~Exists(undecided.filter(subscription=OuterRef("subscription")))
    )
    began = FeedRun.objects.alias(told_at=Least("began_appended_at", "began_taken_at"))
    deleted, _ = began.filter(is_over, ~may_tell, began_logged_at__lt=before, told_at__lt=before).delete()
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
