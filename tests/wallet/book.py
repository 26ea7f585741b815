"""The ledger as a bookkeeper would write it: event by event, in plain Python, knowing nothing of the tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from wallet.reconciled import bookings, owner


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
    """What the event moves, by the second opinion that reconciliation has of the ledger."""
    currency = event["currency"]
    return [
        Posting(Account(debit, owner(debit, event), currency), Account(credit, owner(credit, event), currency), amount)
        for _, debit, credit, amount in bookings(record, event)
    ]
