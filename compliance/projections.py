"""`compliance-alerts` and `operator-actions` into compliance's tables."""

import pyarrow as pa

from backoffice.contracts.catalogue import TOPICS
from backoffice.metrics.windows import count_events
from backoffice.streams.store.projection import Stream, renamed, stamped, standing

compliance = Stream("compliance")


@compliance.project("ComplianceAlert", into="compliance_alert", key="id", newest_by=standing("status"))
def alerts(events: pa.Table) -> pa.Table:
    known = (
        "player_id", "brand", "jurisdiction", "kind", "severity", "queue", "status", "rule", "rule_version", "summary",
        "evidence",
    )  # fmt: skip
    return stamped(renamed(events, id="alert_id", **{name: name for name in known}), events, "status")


@compliance.project("OperatorAction", into="compliance_operatoract", key="event_id", fact=True)
def operator_acts(events: pa.Table) -> pa.Table:
    return events.select(
        [
            "action_id", "player_id", "brand", "jurisdiction", "actor", "role", "action", "subject_kind", "subject_id",
            "reason", "details",
        ]
    )  # fmt: skip


count_events(compliance, [*TOPICS["compliance-alerts"].records, *TOPICS["operator-actions"].records])
