"""Alerts of the platform about itself: built here and nowhere else, whoever raises them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.conf import settings

from backoffice.kernel.ids import derived_id

from .emitting import Executes, emit

ALERT = "ComplianceAlert"
QUEUE = "platform"
# An alert about the platform is about every brand.
BRAND = "all"
# What the contract takes of it, in characters.
_SUMMARY = 1_000
_EVIDENCE = 100_000

Severity = Literal["low", "medium", "high", "critical"]


def raise_alert(
    kind: str,
    summary: str,
    *,
    now: datetime,
    rule: str = "",
    severity: Severity = "critical",
    evidence: Mapping[str, Any] | None = None,
    alert_id: UUID | None = None,
    over: Executes | None = None,
) -> UUID:
    """Open an alert in the platform's queue, within the caller's transaction (see `emit`); returns its id.

    ``kind`` names what happened (``stream_halted``), ``rule`` what noticed it where that is not the same. ``alert_id``
    is given where the matter has an id of its own; without it the alert is of this moment, and telling the same again
    later is another alert. Who may meet the same matter again and again notes that it has been told.
    """
    found = alert_id or derived_id("platform alert", kind, summary, now.isoformat())
    event = {
        "event_id": str(found), "occurred_at": now, "brand": BRAND, "jurisdiction": settings.PLATFORM_JURISDICTION,
        "alert_id": str(found), "player_id": None, "kind": kind, "severity": severity, "queue": QUEUE,
        "status": "opened", "rule": rule or kind, "rule_version": 1, "summary": summary.replace("\x00", " ")[:_SUMMARY],
        "evidence": _as_json(evidence or {}),
    }  # fmt: skip
    emit(ALERT, event, key=BRAND, now=now, over=over)
    return found


def _as_json(evidence: Mapping[str, Any]) -> str:
    """What is too long is cut to its beginning, as text within JSON that can still be read."""
    text = json.dumps(evidence, default=str)
    # In quotes once more, each character of it takes two at the most.
    return text if len(text) <= _EVIDENCE else json.dumps({"beginning": text[: _EVIDENCE // 2 - 100]})
