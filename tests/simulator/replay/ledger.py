"""Two-sided book of the wallet's events; a player's accounts never go below zero."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

Body = dict[str, Any]
Posting = tuple[str, str, int]


class Ledger:
    """Balances by account and currency; what a player owns is named after the player."""

    def __init__(self) -> None:
        self.balances: defaultdict[tuple[str, str], int] = defaultdict(int)

    def see(self, record: str, body: Body) -> None:
        for debit, credit, amount in _POSTINGS.get(record, _none)(body):
            assert amount >= 0
            self._move(debit, body["currency"], -amount)
            self._move(credit, body["currency"], amount)

    def of(self, kind: str, player_id: str, currency: str) -> int:
        """The balance of a player's cash, bonus, pending or open account."""
        return self.balances[f"{kind}:{player_id}", currency]

    def _move(self, account: str, currency: str, amount: int) -> None:
        key = (account, currency)
        self.balances[key] += amount
        if account.partition(":")[0] in ("cash", "bonus", "pending", "open"):
            assert self.balances[key] >= 0, f"{account} would be {self.balances[key]} {currency}"


def _none(_: Body) -> Iterator[Posting]:
    return iter(())


def _from_to(debit: str, credit: str) -> Callable[[Body], Iterator[Posting]]:
    def postings(body: Body) -> Iterator[Posting]:
        yield _name(debit, body), _name(credit, body), body["amount"]

    return postings


def _play(of_cash: tuple[str, str], of_bonus: tuple[str, str]) -> Callable[[Body], Iterator[Posting]]:
    def postings(body: Body) -> Iterator[Posting]:
        yield _name(of_cash[0], body), _name(of_cash[1], body), body["amount"]
        yield _name(of_bonus[0], body), _name(of_bonus[1], body), body["bonus_amount"]

    return postings


def _stake(body: Body) -> Iterator[Posting]:
    taker = "open" if body["vertical"] == "sports" else "revenue"
    return _play(("cash", taker), ("bonus", taker))(body)


def _refund(body: Body) -> Iterator[Posting]:
    giver = "revenue" if body["was_settled"] else "open"
    return _play((giver, "cash"), (giver, "bonus"))(body)


def _adjustment(body: Body) -> Iterator[Posting]:
    accounts = ("adjustments", "cash") if body["direction"] == "credit" else ("cash", "adjustments")
    return _from_to(*accounts)(body)


def _name(kind: str, body: Body) -> str:
    if kind == "revenue":
        return f"revenue {body['vertical']}"
    if kind == "clearing":
        return f"clearing {body['provider']}"
    return f"{kind}:{body['player_id']}" if kind in ("cash", "bonus", "pending", "open") else kind


_POSTINGS: dict[str, Callable[[Body], Iterator[Posting]]] = {
    "DepositCompleted": _from_to("clearing", "cash"),
    "WithdrawalRequested": _from_to("cash", "pending"),
    "WithdrawalReversed": _from_to("pending", "cash"),
    "WithdrawalDeclined": _from_to("pending", "cash"),
    "WithdrawalPaid": _from_to("pending", "clearing"),
    "StakeTaken": _stake,
    "StakeReleased": _play(("open", "revenue"), ("open", "revenue")),
    "StakeRefunded": _refund,
    "WinningsPaid": _play(("revenue", "cash"), ("revenue", "bonus")),
    "WinningsReversed": _play(("cash", "revenue"), ("bonus", "revenue")),
    "BonusCredited": _from_to("bonus cost", "bonus"),
    "BonusConverted": _from_to("bonus", "cash"),
    "BonusForfeited": _from_to("bonus", "bonus cost"),
    "BalanceAdjusted": _adjustment,
}
