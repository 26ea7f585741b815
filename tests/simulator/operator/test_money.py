"""Money adds up at every moment: nobody overdraws, and the engine's purses are what the ledger's rules make of it."""

from collections import defaultdict

import pytest

from backoffice.simulator.durations import HOUR, MINUTE
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.operator.tickets import CORRECTED
from backoffice.simulator.operator.world import World
from tests.faults.bookkeeping import balances, moved
from tests.simulator.operator.lives import events, slices, world

pytestmark = pytest.mark.slow
PURSES = {"cash": "cash", "bonus": "bonus_cash"}


@pytest.mark.parametrize(("count", "length"), [(24, HOUR), (3, 12 * HOUR), (30, MINUTE)])
def test_nobody_overdraws_and_the_ledger_agrees(count: int, length: int) -> None:
    alive = world(players=60, level=60.0 if length == MINUTE else 4.0)
    lived = events(slices(alive, count, length))

    assert {"StakeTaken", "WinningsPaid", "DepositCompleted", "BonusCredited"} <= {event.record for event in lived}
    assert lowest_balances(lived) == {}
    assert_purses_are_booked(alive, lived)


def lowest_balances(lived: list[Event]) -> dict[tuple[str, str, str], int]:
    """Accounts of players that were below zero at some moment, with how far."""
    sums: dict[tuple[str, str, str], int] = defaultdict(int)
    below: dict[tuple[str, str, str], int] = {}
    for event in sorted(lived, key=lambda event: event.body["occurred_at"]):
        for debit, credit, amount in moved(event):
            for (kind, owner), signed in ((debit, -amount), (credit, amount)):
                if kind in ("cash", "bonus", "open_bets", "pending_withdrawals"):
                    key = (kind, owner, event.body["currency"])
                    sums[key] += signed
                    if sums[key] < 0:
                        below[key] = min(below.get(key, 0), sums[key])
    return below


def assert_purses_are_booked(alive: World, lived: list[Event]) -> None:
    booked = {(kind, owner): credits - debits for (kind, owner, _), (debits, credits) in balances(lived).items()}
    staked: dict[str, int] = defaultdict(int)
    for bet in alive.bets[alive.bets["fate"] != CORRECTED]:
        staked[alive.players["id"][bet["player"]].decode()] += bet["stake"]
    for player in alive.players:
        owner = player["id"].decode()
        for kind, purse in PURSES.items():
            assert booked.get((kind, owner), 0) == player[purse], (kind, owner)
        assert booked.get(("open_bets", owner), 0) == staked[owner]
        assert booked.get(("pending_withdrawals", owner), 0) == (
            player["withdrawal_amount"] if player["withdrawal_id"] else 0
        )
