"""Partitions that wait for a person, because too much in them is bad or their log lost what was not stored yet."""

from datetime import datetime
from uuid import UUID

from backoffice.contracts.codec import encode
from backoffice.contracts.definitions import released
from backoffice.kernel.ids import derived_id

from ..database import Connection

ALERT = "ComplianceAlert"


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
            _alert(connection, f"{stream}: {topic}[{partition}] halted at offset {offset}. {reason}", now)
    return bool(halted)


def _alert(connection: Connection, summary: str, now: datetime) -> None:
    event_id: UUID = derived_id("stream halted", summary, now.isoformat())
    alert = {
        "event_id": str(event_id), "occurred_at": now, "brand": "all", "jurisdiction": "MT",
        "alert_id": str(event_id), "player_id": None, "kind": "stream_halted", "severity": "critical",
        "queue": "platform", "status": "opened", "rule": "dead_letter_ratio", "rule_version": 1,
        "summary": summary[:1000], "evidence": "{}",
    }  # fmt: skip
    connection.execute(
        "INSERT INTO streams_outbox (topic, key, value, record, schema_version, headers, created_at)"
        " VALUES ('compliance-alerts', %s, %s, %s, %s, '{}', %s)",
        [b"all", encode(ALERT, alert), ALERT, len(released(ALERT)), now],
    )
