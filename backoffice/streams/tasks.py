"""The housekeeping of the streams' own tables, by the clock. Each can be run at any time and as often as one likes."""

import logging
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from backoffice.streams.clocks import PostgresClock

from .jobs import Undone, clocked
from .models import Diversion, Halt, Stall, Tombstone, TombstoneRetention, WrongClock
from .tables.partitions import NotMade, ensure_partitions
from .tables.unmade import JOB, end_not_made, tell_not_made

log = logging.getLogger(__name__)

CHUNK = 5_000
_SENT = (
    "DELETE FROM streams_outbox WHERE id = ANY(ARRAY(SELECT id FROM streams_outbox"
    " WHERE sent_at < %s AND next_attempt_at IS NULL AND NOT holds_topic ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))"
)
_DISCARDED = (
    "DELETE FROM streams_outbox WHERE id = ANY(ARRAY(SELECT id FROM streams_outbox"
    " WHERE discarded_at < %s AND next_attempt_at IS NULL AND NOT headers ?& '{stream,offset}'"
    " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))"
)


@clocked(JOB)
def make_partitions() -> None:
    """The monthly partitions of the months to come, and any that is missing; one alert while that fails."""
    now = PostgresClock().now()
    try:
        made = ensure_partitions(now)
    except NotMade as reason:
        tell_not_made(reason, now)
        raise Undone(f"partitions could not be made: {reason}") from reason
    end_not_made(now)
    log.info("made partitions: %s", ", ".join(made) or "none is missing")


@clocked("streams.purge_outbox")
def purge_outbox() -> None:
    """Delete what was sent or discarded long enough ago; what waits stays, however old."""
    now = PostgresClock().now()
    sent, discarded = purge_sent(now - settings.SENT_KEPT), purge_discarded(now - settings.DISCARDED_KEPT)
    if sent or discarded:
        log.info("purged %s sent and %s discarded messages from the outbox", sent, discarded)


@clocked("streams.purge_stops")
def purge_stops() -> None:
    """Delete halts, diversions, stalls and wrong clocks that ended long ago; a partition's last halt stays."""
    before = PostgresClock().now() - settings.STOPS_KEPT
    later = Halt.objects.filter(
        stream=OuterRef("stream"), topic=OuterRef("topic"), partition=OuterRef("partition"),
        offset__gte=OuterRef("offset"), pk__gt=OuterRef("pk"),
    )  # fmt: skip
    ended: list[QuerySet[Any]] = [
        # Bad messages are counted from the last one on.
        Halt.objects.filter(Exists(later), resumed_at__lt=before),
        Diversion.objects.filter(ended_at__lt=before),
        Stall.objects.filter(ended_at__lt=before),
        WrongClock.objects.filter(ended_at__lt=before),
    ]
    if deleted := sum(rows.delete()[0] for rows in ended):
        log.info("purged %s stops that are over", deleted)


@clocked("streams.purge_tombstones")
def purge_tombstones() -> None:
    """Forget what was deleted so long ago that nothing from before it can come any more."""
    if purged := purge_told(PostgresClock().now()):
        log.info("purged %s tombstones", purged)


def purge_told(now: datetime) -> int:
    """Returns how many. Nothing is purged while nobody has said for how long they are kept."""
    kept = TombstoneRetention.objects.filter(valid_from__lte=now).order_by("-valid_from").first()
    if kept is None:
        return 0
    return Tombstone.objects.filter(told_at__lt=now - kept.replayable_for - kept.shown_for).delete()[0]


def purge_sent(before: datetime, chunk: int = CHUNK) -> int:
    """Delete messages sent before a time, a chunk a transaction; returns how many."""
    return _purge(_SENT, before, chunk)


def purge_discarded(before: datetime, chunk: int = CHUNK) -> int:
    """Delete messages that a person discarded before a time; returns how many.

    The copy of a dead letter stays: it was never sent, and is all that reconciliation finds of the letter's twin.
    """
    return _purge(_DISCARDED, before, chunk)


def _purge(statement: str, before: datetime, chunk: int) -> int:
    deleted = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(statement, [before, chunk])
            taken: int = cursor.rowcount
            deleted += taken
            if taken < chunk:
                return deleted
