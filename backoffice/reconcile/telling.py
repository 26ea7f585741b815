"""An alert for each finding that was never told before."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from backoffice.streams.outbox.emitting import emit

from .differences import Difference
from .models import Finding

ALERT = "ComplianceAlert"


def tell(differences: Sequence[Difference], now: datetime) -> None:
    """Note the findings; within the caller's transaction."""
    for difference in differences:
        found, is_new = Finding.objects.get_or_create(
            id=difference.fingerprint(),
            defaults={
                "difference": json.loads(json.dumps(difference.as_json(), default=str)),
                "first_seen_at": now,
                "last_seen_at": now,
            },
        )
        if is_new:
            emit(ALERT, _alert(difference, now), key="all", now=now)
        else:
            Finding.objects.filter(pk=found.pk).update(last_seen_at=now)


def _alert(difference: Difference, now: datetime) -> dict[str, Any]:
    finding = str(difference.fingerprint())
    at = f"{difference.topic}[{difference.partition}] {difference.record} {difference.offsets or difference.where}"
    return {
        "event_id": finding, "occurred_at": now, "brand": "all", "jurisdiction": "MT", "alert_id": finding,
        "player_id": None, "kind": "reconcile_difference", "severity": "critical", "queue": "platform",
        "status": "opened", "rule": f"reconcile_{difference.check}", "rule_version": 1,
        "summary": f"{at}: {difference.says}"[:1000],
        "evidence": json.dumps(difference.as_json(), default=str)[:100_000],
    }  # fmt: skip
