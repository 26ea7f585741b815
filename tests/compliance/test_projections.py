from uuid import UUID

from backoffice.contracts.examples import MOMENT
from compliance import projections as compliance
from tests.streams.arriving import arrived

ALERT = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_an_alert_stands_under_its_own_id_with_the_time_of_its_status() -> None:
    events = arrived("ComplianceAlert", {"alert_id": ALERT, "status": "assigned", "player_id": None})

    (row,) = compliance.alerts(events).to_pylist()

    assert (row["id"], row["status"], row["player_id"]) == (UUID(ALERT).bytes, "assigned", None)
    assert row["status_at"].replace(tzinfo=None) == MOMENT.replace(tzinfo=None)
    assert row["status_offset"] == events["source_offset"].to_pylist()[0]


def test_an_act_says_who_did_what_to_what_and_why() -> None:
    events = arrived("OperatorAction", {"actor": "staff-1", "action": "freeze", "subject_id": "p-1", "reason": "MLRO"})

    (row,) = compliance.operator_acts(events).to_pylist()

    assert (row["actor"], row["action"], row["subject_id"], row["reason"]) == ("staff-1", "freeze", "p-1", "MLRO")
