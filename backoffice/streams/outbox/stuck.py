"""An alert where messages of a topic have been held for too long, until all of those were sent or discarded."""

from datetime import datetime, timedelta
from uuid import UUID

from ..clocks import furthest
from ..database import Connection
from .alerts import close_alert, raise_alert

KIND = "outbox_stuck"

_STUCK = (
    "SELECT topic, count(*), min(held_since), (array_agg(last_error ORDER BY held_since))[1], array_agg(id),"
    " (array_agg(alert_id ORDER BY held_since) FILTER (WHERE alert_id IS NOT NULL))[1], bool_or(holds_topic)"
    " FROM streams_outbox"
    " WHERE next_attempt_at IS NOT NULL AND attempts > 0 AND sent_at IS NULL AND discarded_at IS NULL"
    " AND (held_since < %s OR held_since > %s) GROUP BY topic"
)
_NOT_NOTED = (
    "SELECT id FROM streams_outbox WHERE id = ANY(%s) AND alert_id IS NULL ORDER BY position, id FOR UPDATE SKIP LOCKED"
)
_NOTED = "SELECT id FROM streams_outbox WHERE alert_id = %s ORDER BY position, id FOR UPDATE SKIP LOCKED"
_OVER = (
    "SELECT alert_id, min(topic), count(*) FROM streams_outbox WHERE alert_id IS NOT NULL GROUP BY alert_id"
    " HAVING bool_and(sent_at IS NOT NULL OR discarded_at IS NOT NULL)"
)


def tell_of_stuck(connection: Connection, after: timedelta, now: datetime) -> None:
    """One open alert for each topic of which keys are held for longer than ``after``; closed once these went on."""
    with connection.transaction():
        _close(connection, now)
        for topic, keys, since, error, numbers, told, is_whole in connection.execute(
            _STUCK, [now - after, furthest(now)]
        ).fetchall():
            # Whoever has one of them locked holds up no relay: without a row to note it at it is told another time.
            free = [number for (number,) in connection.execute(_NOT_NOTED, [numbers]).fetchall()]
            if not told and not free:
                continue
            held = "all" if is_whole else f"{keys} keys"
            alert_id = told or raise_alert(
                KIND,
                f"The outbox holds {held} of {topic}, the first since {since:%Y-%m-%d %H:%M:%S} UTC: {error}."
                " See `manage.py outbox list`; mend what is in the way, or discard what can never be sent.",
                evidence={"topic": topic, "keys": None if is_whole else keys, "held_since": since},
                now=now,
                over=connection,
            )
            connection.execute("UPDATE streams_outbox SET alert_id = %s WHERE id = ANY(%s)", [alert_id, free])


def _close(connection: Connection, now: datetime) -> None:
    """Where somebody has one of what an alert tells of locked it is closed another time."""
    for found, topic, count in connection.execute(_OVER).fetchall():
        free = [number for (number,) in connection.execute(_NOTED, [found]).fetchall()]
        if len(free) == count:
            alert_id = UUID(str(found))
            close_alert(alert_id, KIND, f"What was held of {topic} was sent or discarded.", now=now, over=connection)
            connection.execute("UPDATE streams_outbox SET alert_id = NULL WHERE id = ANY(%s)", [free])
