"""Builders for the topics compliance-alerts and operator-actions."""

from typing import NotRequired, TypedDict, Unpack

from backoffice.simulator.events.envelope import Event, Head, event


class ComplianceAlert(TypedDict):
    alert_id: str
    player_id: NotRequired[str | None]
    kind: str
    severity: str
    queue: str
    status: str
    rule: str
    rule_version: int
    summary: str
    evidence: str


class OperatorAction(TypedDict):
    action_id: str
    actor: str
    role: str
    action: str
    subject_kind: str
    subject_id: str
    player_id: NotRequired[str | None]
    reason: str
    details: str


def compliance_alert(head: Head, **values: Unpack[ComplianceAlert]) -> Event:
    """Keyed by the player, or by the brand where it is about none."""
    return event("ComplianceAlert", values.get("player_id") or head["brand"], head, values)


def operator_action(head: Head, **values: Unpack[OperatorAction]) -> Event:
    return event("OperatorAction", values["subject_id"], head, values)
