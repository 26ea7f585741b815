"""Partitions that are added to a compacted topic: of a key that moves, the former one keeps what it had for ever."""

from datetime import datetime

from django.db import connection as default_connection

from backoffice.kernel.ids import derived_id

from ..database import Connection
from ..outbox.alerts import close_alert, raise_alert

ALERT = "partitions_added"


def note_partitions(connection: Connection, stream: str, topic: str, count: int, now: datetime) -> None:
    """Note how many there are; an alert, once, where there are more than when the stream began the topic."""
    with connection.transaction():
        row = connection.execute(
            "SELECT topic_id, coalesce(partitions, %s), alert_id FROM streams_reading WHERE stream = %s AND topic = %s"
            " FOR UPDATE",
            [count, stream, topic],
        ).fetchone()
        if row is None:
            return
        topic_id, before, told = str(row[0]), row[1], row[2]
        if count > before and told is None:
            told = derived_id(ALERT, stream, topic, topic_id)
            summary = (
                f"{stream}: {topic} has {count} partitions, and had {before}. It is compacted, which works within a"
                " partition: of a key that has moved the former one keeps its last state for ever, no tombstone reaches"
                " it, and a rebuild brings back what was deleted. Make the topic anew with so many partitions, have"
                f" its producers tell all of it again, and go on with `streams adopt {stream} {topic} --reason …`."
            )
            raise_alert(ALERT, summary, now=now, alert_id=told, over=connection)
        connection.execute(
            "UPDATE streams_reading SET partitions = %s, alert_id = %s WHERE stream = %s AND topic = %s",
            [max(count, before), told, stream, topic],
        )


def forget_partitions(stream: str, topic: str, now: datetime) -> None:
    """The stream goes over to a topic made anew; within the caller's transaction of Django's connection."""
    with default_connection.cursor() as cursor:
        place = [stream, topic]
        cursor.execute("SELECT alert_id FROM streams_reading WHERE stream = %s AND topic = %s FOR UPDATE", place)
        for (told,) in cursor.fetchall():
            if told is not None:
                close_alert(told, ALERT, f"{stream}: {topic} was made anew, and is adopted.", now=now)
        cursor.execute(
            "UPDATE streams_reading SET partitions = NULL, alert_id = NULL WHERE stream = %s AND topic = %s", place
        )
