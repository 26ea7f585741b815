from collections import Counter
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from backoffice.contracts.definitions import schema
from backoffice.contracts.examples import MOMENT
from players import projections as players
from tests.streams.arriving import arrived

PLAYER = "01890a5d-ac96-774b-bcce-b302099a8057"
LATER = MOMENT.replace(hour=13)


def naive(value: Any) -> Any:
    return value.replace(tzinfo=None)


def row_of(rows: pa.Table) -> dict[str, Any]:
    (row,) = rows.to_pylist()
    found: dict[str, Any] = row
    return found


def test_a_registration_carries_all_that_is_known_of_the_player() -> None:
    row = row_of(players.registrations(arrived("PlayerRegistered", {"player_id": PLAYER, "email": "a@example.org"})))

    shared = {"event_id", "occurred_at", "player_id", "brand", "jurisdiction"}
    own = {field["name"] for field in schema("PlayerRegistered")["fields"]} - shared
    assert row["id"] == UUID(PLAYER).bytes
    assert row["email"] == "a@example.org"
    assert own <= row.keys()
    assert naive(row["registered_at"]) == naive(MOMENT)


def test_a_status_and_a_verification_touch_only_their_own_columns() -> None:
    status = row_of(players.statuses(arrived("PlayerStatusChanged", {"status": "frozen", "reason": "mlro"})))
    verified = row_of(players.verifications(arrived("PlayerVerified", {"verification": "failed"})))

    assert (status["status"], status["status_reason"]) == ("frozen", "mlro")
    assert verified["verification"] == "failed"
    own = {"status", "status_reason", "status_at", "status_logged_at", "status_offset"}
    assert status.keys() == {"id"} | own
    assert verified.keys() & status.keys() == {"id"}


def test_logins_that_fail_say_why_and_have_no_session() -> None:
    failed = row_of(players.failed_logins(arrived("LoginFailed", {"reason": "password", "ip": "192.0.2.9"})))
    succeeded = row_of(players.logins(arrived("LoginSucceeded", {"ip": "192.0.2.9"})))

    assert (failed["reason"], failed["ip"]) == ("password", "192.0.2.9")
    assert "session_id" not in failed
    assert "reason" not in succeeded


def test_the_end_of_a_session_leaves_where_it_began() -> None:
    """Its own address may be another one; were it stored, the row would depend on which event came first."""
    started = row_of(players.session_starts(arrived("SessionStarted", {"ip": "192.0.2.1"})))
    ended = row_of(players.session_ends(arrived("SessionEnded", {"ip": "192.0.2.2", "reason": "timeout"})))

    assert started["ip"] == "192.0.2.1"
    assert ended["end_reason"] == "timeout"
    assert started.keys() & ended.keys() == {"id"}


def test_a_removed_limit_has_neither_amount_nor_minutes() -> None:
    rows = players.limit_changes(
        arrived("LimitChanged", {"amount": None, "minutes": None}, {"amount": 10_000, "minutes": None})
    )

    assert [(row["amount"], row["minutes"]) for row in rows.to_pylist()] == [(None, None), (10_000, None)]


def test_an_indefinite_exclusion_has_no_end() -> None:
    row = row_of(players.exclusion_changes(arrived("SelfExclusionChanged", {"kind": "indefinite", "ends_at": None})))

    assert (row["kind"], row["ends_at"]) == ("indefinite", None)


def test_a_contact_says_what_set_it_off_and_what_came_of_it() -> None:
    row = row_of(players.contacts(arrived("PlayerContacted", {"trigger": "rule 7", "outcome": "limit set"})))

    assert (row["trigger"], row["outcome"]) == ("rule 7", "limit set")


def test_a_document_is_stored_as_it_stands_now() -> None:
    row = row_of(players.documents(arrived("DocumentSubmitted", {"document_id": PLAYER, "status": "accepted"})))

    assert (row["id"], row["status"]) == (UUID(PLAYER).bytes, "accepted")


@pytest.mark.parametrize(
    ("record", "function", "ended_as"),
    [
        ("BonusCompleted", players.bonus_completions, "completed"),
        ("BonusExpired", players.bonus_expiries, "expired"),
    ],
)
def test_the_end_of_a_bonus_leaves_its_grant(record: str, function: Any, ended_as: str) -> None:
    granted = row_of(players.bonus_grants(arrived("BonusGranted", {"bonus_id": PLAYER, "amount": 2_000})))
    ended = row_of(function(arrived(record, {"bonus_id": PLAYER, "amount": 350, "occurred_at": LATER})))

    assert granted["id"] == ended["id"] == UUID(PLAYER).bytes
    assert (granted["amount"], ended["ended_amount"], ended["ended_as"]) == (2_000, 350, ended_as)
    assert "amount" not in ended
    assert naive(ended["ended_at"]) == naive(LATER)


def test_the_use_of_a_bonus_names_the_bet_or_the_round() -> None:
    row = row_of(players.bonus_uses(arrived("BonusUsed", {"bet_id": None, "round_id": PLAYER, "wagered": 500})))

    assert (row["bet_id"], row["round_id"], row["wagered"]) == (None, UUID(PLAYER).bytes, 500)


def test_logins_are_counted_by_how_they_ended() -> None:
    rows = [
        *players.login_window(arrived("LoginSucceeded", {}, {})).to_pylist(),
        *players.failed_login_window(arrived("LoginFailed")).to_pylist(),
    ]

    counts = Counter[tuple[str, str]]()
    for row in rows:
        counts[row["metric"], row["key"]] += row["count"]
    assert counts == {("logins", "succeeded"): 2, ("logins", "failed"): 1}
