"""Alerts of the platform about itself: built here and nowhere else, whoever raises them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.conf import settings

from backoffice.kernel.ids import derived_id
from backoffice.kernel.text import storable

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
    is_known: bool = False,
    over: Executes | None = None,
) -> UUID:
    """Open an alert in the platform's queue, within the caller's transaction (see `emit`); returns its id.

    ``kind`` names what happened (``stream_halted``), ``rule`` what noticed it where that is not the same. ``alert_id``
    is given where the matter has an id of its own; without it the alert is of this moment, and telling the same again
    later is another alert. Who may meet the same matter again and again notes that it has been told. With ``is_known``
    the alert stands open already, and this is what there is to be said of it by now.
    """
    found = alert_id or derived_id("platform alert", kind, summary, now.isoformat())
    event_id = derived_id("platform alert told again", str(found), now.isoformat()) if is_known else found
    told = {"severity": severity, "status": "opened", "rule": rule or kind, "evidence": _as_json(evidence or {})}
    _emit(event_id, found, kind, summary, now, told, over)
    return found


def close_alert(alert_id: UUID, kind: str, summary: str, *, now: datetime, over: Executes | None = None) -> None:
    """Close an alert that the platform has raised and that settled itself, within the caller's transaction."""
    event_id = derived_id("platform alert closed", str(alert_id), now.isoformat())
    told = {"severity": "low", "status": "closed", "rule": kind, "evidence": "{}"}
    _emit(event_id, alert_id, kind, summary, now, told, over)


def _emit(
    event_id: UUID, alert_id: UUID, kind: str, summary: str, now: datetime, told: Mapping[str, str],
    over: Executes | None,
) -> None:  # fmt: skip
    event = {
        "event_id": str(event_id), "occurred_at": now, "brand": BRAND, "jurisdiction": settings.PLATFORM_JURISDICTION,
        "alert_id": str(alert_id), "player_id": None, "kind": kind, "queue": QUEUE, "rule_version": 1,
        "summary": storable(summary, _SUMMARY), **told,
    }  # fmt: skip
    # A key of its own: its end comes behind its beginning, and no alert waits for one that cannot be sent.
    emit(ALERT, event, key=str(alert_id), now=now, over=over)


def _as_json(evidence: Mapping[str, Any]) -> str:
    """What is too long is cut to its beginning, as text within JSON that can still be read."""
    text = json.dumps(evidence, default=str)
    # In quotes once more, each character of it takes two at the most.
    return text if len(text) <= _EVIDENCE else json.dumps({"beginning": text[: _EVIDENCE // 2 - 100]})
