"""An alert for each finding that was never told before."""

import json
from collections.abc import Sequence
from datetime import datetime

from backoffice.streams.outbox.alerts import raise_alert

from .differences import Difference
from .models import Finding


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
            _alert(difference, now)
        else:
            Finding.objects.filter(pk=found.pk).update(last_seen_at=now)


def _alert(difference: Difference, now: datetime) -> None:
    at = f"{difference.topic}[{difference.partition}] {difference.record} {difference.offsets or difference.where}"
    raise_alert(
        "reconcile_difference",
        f"{at}: {difference.says}",
        rule=f"reconcile_{difference.check}",
        evidence=difference.as_json(),
        alert_id=difference.fingerprint(),
        now=now,
    )
