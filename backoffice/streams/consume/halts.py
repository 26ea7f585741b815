"""Partitions that wait for a person, because too much in them is bad or their log lost what was not stored yet."""

from datetime import datetime

from ..database import Connection
from ..outbox.alerts import raise_alert


def open_halts(connection: Connection, stream: str, topic: str) -> set[int]:
    rows = connection.execute(
        "SELECT partition FROM streams_halt WHERE stream = %s AND topic = %s AND resumed_at IS NULL", [stream, topic]
    ).fetchall()
    return {int(str(partition)) for (partition,) in rows}


def halt(
    connection: Connection, *, stream: str, topic: str, partition: int, offset: int, reason: str, now: datetime
) -> bool:
    """Stop the partition at ``offset`` until a person resumes it, and raise an alert with the same transaction.

    False where it is stopped already.
    """
    with connection.transaction():
        halted = connection.execute(
            'INSERT INTO streams_halt (stream, topic, partition, "offset", reason, halted_at, resumed_by)'
            " VALUES (%s, %s, %s, %s, %s, %s, '') ON CONFLICT DO NOTHING",
            [stream, topic, partition, offset, reason, now],
        ).rowcount
        if halted:
            raise_alert(
                "stream_halted",
                f"{stream}: {topic}[{partition}] halted at offset {offset}. {reason}",
                rule="dead_letter_ratio",
                now=now,
                over=connection,
            )
    return bool(halted)
