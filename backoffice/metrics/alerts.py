"""Alerts of the platform about itself that have not left for Kafka, read where they were written.

They travel by the relay, Kafka and a stream, and may tell of just these; whoever asks after the platform's health is
told of them here, whatever stands still.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import released
from backoffice.kernel.errors import Poison
from backoffice.streams.outbox.alerts import ALERT

# More messages than this are not looked through.
MANY = 1_000

_UNSENT = (
    "SELECT value, schema_version, created_at FROM streams_outbox"
    " WHERE record = 'ComplianceAlert' AND sent_at IS NULL AND discarded_at IS NULL ORDER BY id LIMIT %s"
)


@dataclass(frozen=True)
class UnsentAlert:
    """An open alert that nobody downstream has heard of; ``summary`` is what it tells people."""

    kind: str
    alert_id: str
    raised_at: datetime
    severity: str
    summary: str


def read_alerts() -> list[UnsentAlert]:
    """The oldest first; one whose end waits to be sent too is over. One statement, by a partial index."""
    with connection.cursor() as cursor:
        cursor.execute(_UNSENT, [MANY])
        rows = cursor.fetchall()
    told = [(_read(bytes(value), version), raised_at) for value, version, raised_at in rows]
    over = {alert["alert_id"] for alert, _ in told if alert["status"] != "opened"}
    return [
        UnsentAlert(alert["kind"], alert["alert_id"], raised_at, alert["severity"], alert["summary"])
        for alert, raised_at in told
        if alert["alert_id"] not in over
    ]


def _read(body: bytes, version: int) -> dict[str, Any]:
    """The alert; one that a newer version of ours has written, and this one cannot read, is told of all the same."""
    versions = released(ALERT)
    try:
        return decode(body, versions[min(version, len(versions)) - 1])
    except Poison as reason:
        return {"kind": "unreadable", "alert_id": "", "severity": "", "status": "opened", "summary": str(reason)}
