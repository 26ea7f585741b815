"""Builders for the topic wallet-transactions."""

from typing import NotRequired, TypedDict, Unpack

from backoffice.simulator.events.envelope import Event, Head, event


class Movement(TypedDict):
    player_id: str
    currency: str
    amount: int


class Payment(Movement):
    payment_id: str
    method: str
    provider: str
    instrument_id: str


class DeclinedPayment(Payment):
    decline_reason: str


class ReversedPayment(Payment):
    reason: str


class Play(Movement):
    """``amount`` is cash, ``bonus_amount`` bonus money; a bet or a round has caused it."""

    vertical: str
    bonus_amount: int
    bet_id: NotRequired[str | None]
    round_id: NotRequired[str | None]


class RefundedPlay(Play):
    was_settled: bool


class BonusMovement(Movement):
    bonus_id: str


class BalanceAdjusted(Movement):
    direction: str
    reason: str
    actor: str


def deposit_initiated(head: Head, **values: Unpack[Payment]) -> Event:
    return event("DepositInitiated", values["player_id"], head, values)


def deposit_completed(head: Head, **values: Unpack[Payment]) -> Event:
    return event("DepositCompleted", values["player_id"], head, values)


def deposit_declined(head: Head, **values: Unpack[DeclinedPayment]) -> Event:
    return event("DepositDeclined", values["player_id"], head, values)


def withdrawal_requested(head: Head, **values: Unpack[Payment]) -> Event:
    return event("WithdrawalRequested", values["player_id"], head, values)


def withdrawal_reversed(head: Head, **values: Unpack[ReversedPayment]) -> Event:
    return event("WithdrawalReversed", values["player_id"], head, values)


def withdrawal_declined(head: Head, **values: Unpack[DeclinedPayment]) -> Event:
    return event("WithdrawalDeclined", values["player_id"], head, values)


def withdrawal_paid(head: Head, **values: Unpack[Payment]) -> Event:
    return event("WithdrawalPaid", values["player_id"], head, values)


def stake_taken(head: Head, **values: Unpack[Play]) -> Event:
    return event("StakeTaken", values["player_id"], head, values)


def stake_released(head: Head, **values: Unpack[Play]) -> Event:
    return event("StakeReleased", values["player_id"], head, values)


def stake_refunded(head: Head, **values: Unpack[RefundedPlay]) -> Event:
    return event("StakeRefunded", values["player_id"], head, values)


def winnings_paid(head: Head, **values: Unpack[Play]) -> Event:
    return event("WinningsPaid", values["player_id"], head, values)


def winnings_reversed(head: Head, **values: Unpack[Play]) -> Event:
    return event("WinningsReversed", values["player_id"], head, values)


def bonus_credited(head: Head, **values: Unpack[BonusMovement]) -> Event:
    return event("BonusCredited", values["player_id"], head, values)


def bonus_converted(head: Head, **values: Unpack[BonusMovement]) -> Event:
    return event("BonusConverted", values["player_id"], head, values)


def bonus_forfeited(head: Head, **values: Unpack[BonusMovement]) -> Event:
    return event("BonusForfeited", values["player_id"], head, values)


def balance_adjusted(head: Head, **values: Unpack[BalanceAdjusted]) -> Event:
    return event("BalanceAdjusted", values["player_id"], head, values)
