from typing import Any
from uuid import UUID

import pytest

from tests.streams.arriving import arrived, event_of
from wallet import projections as wallet
from wallet.domain.ledger import MOVEMENTS

PAYMENT = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.mark.parametrize("record", MOVEMENTS)
def test_a_transaction_has_what_its_record_says(record: str) -> None:
    (row,) = wallet.transactions(arrived(record, {"amount": 70})).to_pylist()

    assert row["amount"] == 70
    for name in ("payment_id", "bet_id", "round_id", "bonus_id", "bonus_amount", "vertical", "reason", "actor"):
        assert (name in row) == (name in event_of(record))


@pytest.mark.parametrize(
    ("record", "stands"),
    [
        ("DepositInitiated", ("deposit", "initiated", 0)),
        ("DepositDeclined", ("deposit", "declined", 1)),
        ("DepositCompleted", ("deposit", "completed", 2)),
        ("WithdrawalRequested", ("withdrawal", "requested", 0)),
        ("WithdrawalReversed", ("withdrawal", "reversed", 1)),
        ("WithdrawalDeclined", ("withdrawal", "declined", 1)),
        ("WithdrawalPaid", ("withdrawal", "paid", 2)),
    ],
)
def test_a_payment_stands_as_its_last_event_says(record: str, stands: tuple[str, str, int]) -> None:
    projections = [p for p in wallet.wallet.of(record) if p.table == "wallet_payment"]

    (row,) = projections[0].columns(arrived(record, {"payment_id": PAYMENT, "amount": 70})).to_pylist()

    assert len(projections) == 1
    assert (row["id"], row["amount"]) == (UUID(PAYMENT).bytes, 70)
    assert (row["direction"], row["status"], row["status_rank"]) == stands
    assert (row["decline_reason"] is not None) == ("decline_reason" in event_of(record))


@pytest.mark.parametrize(
    ("change", "ggr"),
    [
        ({"stake": 100, "win": 0, "jackpot_win": 0}, 100),
        ({"stake": 100, "win": 250, "jackpot_win": 0}, -150),
        ({"stake": 100, "win": 20, "jackpot_win": 5_000}, -4_920),
        ({"stake": 0, "win": 0, "jackpot_win": 0, "bonus_stake": 100, "bonus_win": 300}, 0),
    ],
)
def test_ggr_of_a_round_is_its_stake_less_what_was_won(change: dict[str, Any], ggr: int) -> None:
    events = arrived("RoundCompleted", change | {"vertical": "live", "currency": "SEK"})

    revenue, *longer = wallet.round_revenue(events).to_pylist()
    (stakes,) = wallet.round_stakes(events).to_pylist()

    assert (revenue["metric"], revenue["key"], revenue["currency"], revenue["amount"]) == ("ggr", "live", "SEK", ggr)
    assert [(row["metric"], row["amount"]) for row in longer] == [("ggr_hour", ggr), ("ggr_day", ggr)]
    assert (stakes["metric"], stakes["amount"]) == ("stakes", change["stake"])


def test_a_round_is_stored_under_its_own_id() -> None:
    (row,) = wallet.rounds(arrived("RoundCompleted", {"round_id": PAYMENT, "session_id": None})).to_pylist()

    assert (row["id"], row["session_id"]) == (UUID(PAYMENT).bytes, None)


def test_deposits_are_counted_by_provider() -> None:
    (done,) = wallet.deposits(arrived("DepositCompleted", {"provider": "Adyen", "amount": 70})).to_pylist()
    (declined,) = wallet.declined_deposits(arrived("DepositDeclined", {"provider": "Trustly", "amount": 9})).to_pylist()

    assert (done["metric"], done["key"], done["amount"]) == ("deposits_completed", "Adyen", 70)
    assert (declined["metric"], declined["key"], declined["amount"]) == ("deposits_declined", "Trustly", 9)
