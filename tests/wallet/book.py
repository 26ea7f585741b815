"""The ledger as a bookkeeper would write it: event by event, in plain Python, knowing nothing of the tables.

Source: the meaning of each record of wallet-transactions as its contract's doc states it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Account(NamedTuple):
    """``owner`` is the player's id, a provider, a vertical or nobody."""

    kind: str
    owner: str
    currency: str


@dataclass(frozen=True)
class Posting:
    debit: Account
    credit: Account
    amount: int


def postings(record: str, event: Mapping[str, Any]) -> list[Posting]:
    """What the event moves, in the order in which it is told; nothing for amounts of zero."""
    moves = _moves(record, event)
    return [Posting(debit, credit, amount) for debit, credit, amount in moves if amount > 0]


def _moves(record: str, event: Mapping[str, Any]) -> list[tuple[Account, Account, int]]:
    def account(kind: str, owner: str = event["player_id"]) -> Account:
        return Account(kind, owner, event["currency"])

    def both(debit: Account | None, credit: Account | None) -> list[tuple[Account, Account, int]]:
        """The cash part and the bonus part; the player's own account of either kind stands where None is."""
        parts = (("cash", event["amount"]), ("bonus", event.get("bonus_amount", 0)))
        return [(debit or account(own), credit or account(own), amount) for own, amount in parts]

    amount = event["amount"]
    cash, bonus, pending = account("cash"), account("bonus"), account("pending_withdrawals")
    open_bets, cost, adjustments = account("open_bets"), account("bonus_cost", ""), account("adjustments", "")
    clearing, revenue = account("clearing", event.get("provider", "")), account("revenue", event.get("vertical", ""))
    told = {
        "DepositInitiated": [],
        "DepositDeclined": [],
        "DepositCompleted": [(clearing, cash, amount)],
        "WithdrawalRequested": [(cash, pending, amount)],
        "WithdrawalReversed": [(pending, cash, amount)],
        "WithdrawalDeclined": [(pending, cash, amount)],
        "WithdrawalPaid": [(pending, clearing, amount)],
        "StakeTaken": both(None, open_bets if event.get("vertical") == "sports" else revenue),
        "StakeReleased": both(open_bets, revenue),
        "StakeRefunded": both(revenue if event.get("was_settled") else open_bets, None),
        "WinningsPaid": both(revenue, None),
        "WinningsReversed": both(None, revenue),
        "BonusCredited": [(cost, bonus, amount)],
        "BonusConverted": [(bonus, cash, amount)],
        "BonusForfeited": [(bonus, cost, amount)],
        "BalanceAdjusted": [
            (adjustments, cash, amount) if event.get("direction") == "credit" else (cash, adjustments, amount)
        ],
    }
    return told[record]
