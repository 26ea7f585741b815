"""A player's bets and money, event by event, and what a run says of them."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from backoffice.kernel.clock import SystemClock, microseconds
from backoffice.reconcile.runs.run import Report
from backoffice.reconcile.runs.run import reconcile as run_once
from backoffice.simulator.events import bets, wallet
from backoffice.simulator.events.envelope import Event, Head
from tests.spine import Spine

BETS = "bet-events"
SETTLE, RELEASE, PAY = "BetSettled", "StakeReleased", "WinningsPaid"
_LEG: bets.BetLeg = {
    "leg_no": 1, "sport": "football", "sport_event_id": "match", "market_id": "1x2", "outcome_id": "1", "odds": 2_000,
    "is_in_play": False,
}  # fmt: skip
_RESULT: bets.LegResult = {"leg_no": 1, "result": "won", "void_factor": 0, "dead_heat_factor": 1_000}
_OF_BETS: dict[str, Callable[..., Event]] = {
    "BetPlaced": bets.bet_placed, SETTLE: bets.bet_settled, "BetCashedOut": bets.bet_cashed_out,
    "BetResettled": bets.bet_resettled, "BetVoided": bets.bet_voided,
}  # fmt: skip
_OF_WALLET: dict[str, Callable[..., Event]] = {
    "StakeTaken": wallet.stake_taken, RELEASE: wallet.stake_released, "StakeRefunded": wallet.stake_refunded,
    PAY: wallet.winnings_paid, "WinningsReversed": wallet.winnings_reversed,
}  # fmt: skip
_OF_PAYMENTS: dict[str, Callable[..., Event]] = {
    "initiated": wallet.deposit_initiated, "completed": wallet.deposit_completed,
    "requested": wallet.withdrawal_requested, "paid": wallet.withdrawal_paid, "reversed": wallet.withdrawal_reversed,
}  # fmt: skip
_OF_THE_RECORD: dict[str, dict[str, Any]] = {
    "BetPlaced": {
        "kind": "single", "system_size": 1, "channel": "web", "is_in_play": False, "potential_payout": 2_000,
        "legs": [_LEG],
    },
    SETTLE: {"legs": [_RESULT]},
    "BetResettled": {"reason": "wrong scorer", "legs": [_RESULT]},
    "BetVoided": {"reason": "palpable error"},
}  # fmt: skip


class Player:
    """One player's events, second after second; a bet has a stake of 10.00."""

    def __init__(self, hours: int = 6) -> None:
        self.id = str(uuid4())
        self._at = datetime.now(UTC) - timedelta(hours=hours)

    def funded(self) -> list[Event]:
        return [self.payment("completed", str(uuid4()), 1_000_000)]

    def bet(self, record: str, bet_id: str, number: int = 0, **said: Any) -> Event:
        free = {} if record == "BetResettled" else {"is_free_bet": False}
        step = {"settlement_no": number} if number else {}
        about = {"bet_id": bet_id, "player_id": self.id, "currency": "EUR", "stake": 1_000}
        return _OF_BETS[record](self._head(), **about | free | step | _OF_THE_RECORD.get(record, {}) | said)

    def money(self, record: str, bet_id: str, amount: int = 1_000, **said: Any) -> Event:
        about = {"player_id": self.id, "currency": "EUR", "amount": amount, "bonus_amount": 0, "vertical": "sports"}
        return _OF_WALLET[record](self._head(), **about | {"bet_id": bet_id} | said)

    def placed(self, bet_id: str) -> list[Event]:
        return [self.bet("BetPlaced", bet_id), self.money("StakeTaken", bet_id)]

    def settled(self, bet_id: str, payout: int = 5_000) -> list[Event]:
        paid = [self.money(PAY, bet_id, payout)] if payout else []
        return [self.bet(SETTLE, bet_id, 1, payout=payout), self.money(RELEASE, bet_id), *paid]

    def payment(self, what: str, payment_id: str, amount: int, **said: Any) -> Event:
        reason = {"reason": "player request"} if what == "reversed" else {}
        about = {
            "payment_id": payment_id, "player_id": self.id, "currency": "EUR", "amount": amount, "method": "card",
            "provider": "clearpay", "instrument_id": "card",
        }  # fmt: skip
        return _OF_PAYMENTS[what](self._head(), **about | reason | said)

    def _head(self) -> Head:
        self._at += timedelta(seconds=1)
        return Head(event_id=str(uuid4()), occurred_at=microseconds(self._at), brand="brand", jurisdiction="MT")


def later() -> list[Event]:
    """What another player does hours after: both topics have told of all that was before."""
    other = Player(hours=2)
    return [*other.funded(), *other.placed(str(uuid4()))]


def told(spine: Spine, *events: Iterable[Event]) -> None:
    spine.send(event for part in events for event in part)
    spine.drain("wallet", "trading")


def reconciled(*, full: bool) -> Report:
    return run_once(full=full, clock=SystemClock())


def named(report: Report) -> set[tuple[str, str, str]]:
    """Check, weight, and the bet or the payment."""
    found = (*report.differences, *report.named)
    return {(one["check"], one["weight"], one["where"].partition(",")[0]) for one in found}
