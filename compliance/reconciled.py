"""What compliance's tables must hold, by `compliance-alerts` and `operator-actions`; apart from the projections."""

from backoffice.contracts.catalogue import TOPICS
from backoffice.reconcile.declared import Description, State, describe, same

COMPLIANCE = Description(
    "compliance",
    states=(
        State("alert", ("ComplianceAlert",), "compliance_alert", {"id": "alert_id"}, ("status_at", "status_event"),
              same("player_id brand jurisdiction kind severity queue status rule rule_version summary evidence")),
    ),
    counted=frozenset(TOPICS["compliance-alerts"].records + TOPICS["operator-actions"].records),
)  # fmt: skip


def register() -> None:
    describe(COMPLIANCE)
