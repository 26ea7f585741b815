"""The housekeeping of the streams' own tables, by the clock. Each can be run at any time and as often as one likes."""

import logging
from datetime import datetime, timedelta

from django.db import connection

from backoffice.kernel.clock import SystemClock

from .jobs import Undone, clocked
from .models import Tombstone, TombstoneRetention
from .outbox.alerts import raise_alert
from .tables.partitions import NotMade, ensure_partitions

log = logging.getLogger(__name__)

OUTBOX_DAYS = timedelta(days=7)
CHUNK = 5_000


@clocked("streams.make_partitions")
def make_partitions() -> None:
    """The monthly partitions of the months to come, and any that is missing; an alert where that fails."""
    now = SystemClock().now()
    try:
        made = ensure_partitions(now)
    except NotMade as reason:
        raise_alert(
            "partitions_not_made",
            f"Months could not be made ({reason}). Their rows lie in the default partition until they are; it is tried"
            " again tomorrow, or at once with `manage.py partitions`.",
            now=now,
        )
        raise Undone(f"partitions could not be made: {reason}") from reason
    log.info("made partitions: %s", ", ".join(made) or "none is missing")


@clocked("streams.purge_outbox")
def purge_outbox() -> None:
    """Delete what was sent more than a week ago; what is not sent stays, however old."""
    if deleted := purge_sent(SystemClock().now() - OUTBOX_DAYS):
        log.info("purged %s sent messages from the outbox", deleted)


@clocked("streams.purge_tombstones")
def purge_tombstones() -> None:
    """Forget what was deleted so long ago that nothing from before it can come any more."""
    if purged := purge_told(SystemClock().now()):
        log.info("purged %s tombstones", purged)


def purge_told(now: datetime) -> int:
    """Returns how many. Nothing is purged while nobody has said for how long they are kept."""
    kept = TombstoneRetention.objects.filter(valid_from__lte=now).order_by("-valid_from").first()
    if kept is None:
        return 0
    return Tombstone.objects.filter(told_at__lt=now - kept.replayable_for - kept.shown_for).delete()[0]


def purge_sent(before: datetime, chunk: int = CHUNK) -> int:
    """Delete messages sent before a time, a chunk a transaction; returns how many."""
    deleted = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "DELETE FROM streams_outbox WHERE id = ANY(ARRAY("
                "SELECT id FROM streams_outbox WHERE sent_at < %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))",
                [before, chunk],
            )
            taken: int = cursor.rowcount
            deleted += taken
            if taken < chunk:
                return deleted
