"""What waits to be sent to Kafka, and what cannot be."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from backoffice.streams.clocks import lies_ahead
from backoffice.streams.consume.watching.blocking import why, why_passed_over
from backoffice.streams.database import OUTBOX_SESSION

# More messages than this are not counted one by one.
MANY = 10_000

_READY = (
    "WITH oldest AS (SELECT created_at, xmax, position, id FROM streams_outbox"
    "  WHERE sent_at IS NULL AND held_since IS NULL AND position IS NOT NULL ORDER BY position, id LIMIT %s)"
    " SELECT count(*), min(created_at), (SELECT xmax::text FROM oldest ORDER BY position, id LIMIT 1) FROM oldest"
)
_HELD = (
    "SELECT count(*) FROM (SELECT FROM streams_outbox"
    " WHERE sent_at IS NULL AND discarded_at IS NULL AND held_since IS NOT NULL LIMIT %s) AS first"
)
_HELD_TOPICS = (
    "SELECT topic, count(*), min(held_since), (array_agg(last_error ORDER BY held_since))[1], bool_or(holds_topic)"
    " FROM (SELECT topic, held_since, last_error, holds_topic FROM streams_outbox WHERE next_attempt_at IS NOT NULL"
    "  AND attempts > 0 AND sent_at IS NULL AND discarded_at IS NULL LIMIT %s) AS first"
    " GROUP BY topic ORDER BY min(held_since)"
)


@dataclass(frozen=True)
class HeldTopic:
    """A topic of which the next messages of so many ``keys`` cannot be sent, and the ``reason`` of the first.

    One that is held ``whole``, for a reason of its own, counts as one key.
    """

    topic: str
    keys: int
    since: datetime
    reason: str
    whole: bool


@dataclass(frozen=True)
class Outbox:
    """``ready`` messages go with the next rounds of the relay, the oldest written at ``oldest_at``; ``held`` ones wait.

    Of the oldest 10,000 each. One that is ready for longer than ``limit`` says that no relay runs, or that somebody has
    a lock in its way: then ``blocked`` says who, and how to end that.
    """

    ready: int
    oldest_at: datetime | None
    held: int
    topics: tuple[HeldTopic, ...]
    limit: timedelta
    blocked: str = ""

    def is_late(self, now: datetime) -> bool:
        oldest = self.oldest_at
        return oldest is not None and (now - oldest > self.limit or lies_ahead(oldest, now))


def read_outbox() -> Outbox:
    """Three statements, each by a partial index; and two to Postgres' activity where something waits."""
    with connection.cursor() as cursor:
        cursor.execute(_READY, [MANY])
        ready, oldest_at, locked_by = cursor.fetchone()
        cursor.execute(_HELD, [MANY])
        held = cursor.fetchone()[0]
        cursor.execute(_HELD_TOPICS, [MANY])
        topics = tuple(HeldTopic(*row) for row in cursor.fetchall())
        blocked = why(connection.connection, OUTBOX_SESSION) if ready or held else ""
        if ready and not blocked:
            blocked = why_passed_over(connection.connection, locked_by, but=OUTBOX_SESSION)
    return Outbox(ready, oldest_at, held, topics, timedelta(seconds=settings.OUTBOX["stuck_after"]), blocked)
