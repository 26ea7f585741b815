"""A registry that is made anew while streams and relay run, or refuses an id: no wrong rows, and no lane waits."""

import json
from http import HTTPStatus
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from backoffice.contracts.codec import encode, frame
from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.alerts import raise_alert
from backoffice.streams.schemas import our_registry
from tests.spine import Spine
from tests.streams.arriving import NOW, event_of
from tests.streams.outbox.relaying import relaying
from tests.streams.pretended import NOT_FOUND, Answer, pretending

WALLET = "wallet-transactions"
STORED = "SELECT record, count(*) FROM wallet_transaction GROUP BY 1 ORDER BY 1"
REASONS = "SELECT DISTINCT reason FROM streams_deadletter"
PLAYER = "01890000-0000-7000-8000-000000000001"


def sent(spine: Spine, schema_id: int, record: str, count: int, seed: int = 0) -> None:
    """Events of the record, written under the id."""
    values = []
    for number in range(count):
        event_id = f"01890000-0000-7000-8000-{seed + number:012d}"
        body = event_of(record, event_id=event_id, player_id=PLAYER, amount=10_000, bonus_amount=0, currency="EUR")
        values.append(frame(schema_id, encode(record, body)))
    spine.send_bytes(WALLET, values, key=PLAYER.encode(), partition=0)


def reconciled() -> dict[str, Any]:
    output = StringIO()
    with pytest.raises(SystemExit):
        call_command("reconcile", stdout=output)
    told: dict[str, Any] = json.loads(output.getvalue())
    return told


def test_money_is_not_stored_as_its_opposite_when_the_registry_is_made_anew(spine: Spine) -> None:
    ids = {1: "WinningsReversed", 2: "WinningsPaid"}
    with pretending(ids, believed=0.0) as registry, spine.streaming("wallet"):
        sent(spine, 1, "WinningsReversed", 1)
        sent(spine, 2, "WinningsPaid", 1, seed=100)
        spine.wait_drained("wallet")
        registry.ids = {1: "WinningsPaid", 2: "WinningsReversed"}
        sent(spine, 1, "WinningsPaid", 5, seed=200)
        spine.wait_drained("wallet")

    assert spine.rows(STORED) == [("WinningsPaid", 1), ("WinningsReversed", 1)]
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 5
    assert "schema id 1 is another schema" in spine.value(REASONS)


def test_what_is_stored_before_the_registry_is_asked_again_is_told_by_reconciliation(spine: Spine) -> None:
    with pretending({1: "WinningsReversed", 2: "WinningsPaid"}) as registry:
        with spine.streaming("wallet"):
            sent(spine, 1, "WinningsReversed", 1)
            sent(spine, 2, "WinningsPaid", 1, seed=100)
            spine.wait_drained("wallet")
            registry.ids = {1: "WinningsPaid", 2: "WinningsReversed"}
            sent(spine, 1, "WinningsPaid", 5, seed=200)
            spine.wait_drained("wallet")
        asked = [path for path in registry.asked if path.startswith("/schemas/ids/1")]
        told = reconciled()

    assert spine.rows(STORED) == [("WinningsPaid", 1), ("WinningsReversed", 6)]
    assert len(asked) == 1
    found = {tuple(difference["offsets"]) for difference in told["differences"] if difference["check"] == "messages"}
    assert {(offset, offset) for offset in range(2, 7)} <= found
    assert any("schema id 1 is another schema" in difference["says"] for difference in told["differences"])


def test_the_relay_puts_no_id_into_a_frame_that_names_another_schema_meanwhile(spine: Spine) -> None:
    with pretending({7: "ComplianceAlert", 3: "BetPlaced"}, believed=0.0) as registry:
        known = our_registry()
        known.writer(3)
        with relaying(spine, known) as rounds:
            raise_alert("one", "of before", now=NOW)
            rounds.until_idle()
            registry.ids = {3: "ComplianceAlert", 7: "BetPlaced"}
            raise_alert("two", "an id that named something else", now=NOW)
            rounds.until_idle()
            (held,) = Outgoing.objects.filter(sent_at=None)
            assert "schema id 3 is another schema" in held.last_error

            registry.ids = {9: "ComplianceAlert", 7: "BetPlaced"}
            raise_alert("three", "an id of its own", now=NOW)
            rounds.until_idle()

    ids = [int.from_bytes((value or b"")[1:5]) for _, value, _ in spine.read("compliance-alerts")]
    assert sorted(ids) == [7, 9]


@pytest.mark.parametrize("refusal", [
    pytest.param((HTTPStatus.NOT_FOUND, {"error_code": 404, "message": "HTTP 404 Not Found"}), id="plain 404"),
    pytest.param((HTTPStatus.NOT_FOUND, "no such page"), id="404 in words"),
    pytest.param((HTTPStatus.BAD_REQUEST, {"error_code": 400, "message": "HTTP 400"}), id="400"),
    pytest.param((HTTPStatus.UNPROCESSABLE_ENTITY, {"error_code": 42201, "message": "no"}), id="422"),
    pytest.param((HTTPStatus.OK, "what?"), id="no answer of a registry"),
    pytest.param(NOT_FOUND, id="unknown"),
])  # fmt: skip
def test_an_id_that_the_registry_refuses_is_a_dead_letter_and_no_lane_waits(spine: Spine, refusal: Answer) -> None:
    with pretending({1: "WinningsPaid"}) as registry:
        registry.refusals[700] = refusal
        spine.send_bytes(WALLET, [frame(700, b"rubbish")], partition=0)
        sent(spine, 1, "WinningsPaid", 3)
        spine.drain("wallet")

    assert spine.rows(STORED) == [("WinningsPaid", 3)]
    assert spine.value(REASONS).startswith("unknown schema id 700")


@pytest.mark.parametrize("schema_id", [0, 2**31, 2**32 - 1])
def test_an_id_that_no_registry_gives_is_a_dead_letter_before_anybody_is_asked(spine: Spine, schema_id: int) -> None:
    with pretending({1: "WinningsPaid"}) as registry:
        spine.send_bytes(WALLET, [frame(schema_id, b"rubbish")], partition=0)
        sent(spine, 1, "WinningsPaid", 3)
        spine.drain("wallet")
        assert registry.asked == ["/schemas/ids/1"]
        output = StringIO()
        call_command("reconcile", stdout=output)

    assert json.loads(output.getvalue())["clean"]
    assert spine.rows(STORED) == [("WinningsPaid", 3)]
    assert spine.value(REASONS).startswith(f"schema id {schema_id} is none that a registry gives")
