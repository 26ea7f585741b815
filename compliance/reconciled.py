"""What compliance's tables must hold, by `compliance-alerts` and `operator-actions`; apart from the projections."""

from backoffice.contracts.catalogue import TOPICS
from backoffice.reconcile.declared import Description, State, describe, same, standing

COMPLIANCE = Description(
    "compliance",
    states=(
        State("alert", ("ComplianceAlert",), "compliance_alert", {"id": "alert_id"}, standing("status"),
              same("player_id brand jurisdiction kind severity queue status rule rule_version summary evidence")
              | {"status_at": "at"}),
    ),
    counted=frozenset(TOPICS["compliance-alerts"].records + TOPICS["operator-actions"].records),
)  # fmt: skip


def register() -> None:
    describe(COMPLIANCE)
