"""Two-sided book of the wallet's events; a player's accounts never go below zero."""

from collections import defaultdict
from typing import Any

from wallet.reconciled import PLAYERS_OWN, bookings, owner

Body = dict[str, Any]


class Ledger:
    """Balances by kind, owner and currency, by the second opinion that reconciliation has of the ledger."""

    def __init__(self) -> None:
        self.balances: defaultdict[tuple[str, str, str], int] = defaultdict(int)

    def see(self, record: str, body: Body) -> None:
        for _, debit, credit, amount in bookings(record, body):
            self._move(debit, body, -amount)
            self._move(credit, body, amount)

    def of(self, kind: str, player_id: str, currency: str) -> int:
        """The balance of a player's account."""
        return self.balances[kind, player_id, currency]

    def _move(self, kind: str, body: Body, amount: int) -> None:
        key = (kind, owner(kind, body), body["currency"])
        self.balances[key] += amount
        if kind in PLAYERS_OWN:
            assert self.balances[key] >= 0, f"{key} would be {self.balances[key]}"
