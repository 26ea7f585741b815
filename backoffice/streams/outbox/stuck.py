"""An alert where messages of a topic have been held for too long."""

from datetime import datetime, timedelta

from ..database import Connection
from .alerts import raise_alert

KIND = "outbox_stuck"

_STUCK = (
    "SELECT topic, count(*), min(held_since), (array_agg(last_error ORDER BY held_since))[1], array_agg(id),"
    " bool_or(alerted_at IS NOT NULL) FROM streams_outbox"
    " WHERE next_attempt_at IS NOT NULL AND attempts > 0 AND discarded_at IS NULL AND held_since < %s GROUP BY topic"
)


def tell_of_stuck(connection: Connection, after: timedelta, now: datetime) -> None:
    """Raise one alert for each topic of which keys are held for longer than ``after``; the next once these went on."""
    with connection.transaction():
        for topic, keys, since, error, numbers, is_told in connection.execute(_STUCK, [now - after]).fetchall():
            if is_told:
                continue
            raise_alert(
                KIND,
                f"The outbox holds {keys} keys of {topic}, the first since {since:%Y-%m-%d %H:%M:%S} UTC: {error}."
                " See `manage.py outbox list`; mend what is in the way, or discard what can never be sent.",
                evidence={"topic": topic, "keys": keys, "held_since": since},
                now=now,
                over=connection,
            )
            connection.execute("UPDATE streams_outbox SET alerted_at = %s WHERE id = ANY(%s)", [now, numbers])
