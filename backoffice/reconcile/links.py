"""The two tables whose rows belong to a fact, and what an event says of them."""

from typing import Any

from backoffice.contracts.catalogue import TOPICS

from .ledger import Accounts, bookings
from .linked import Link
from .reading import Event

_ACCOUNTS = Accounts()


def _transfers(record: str, event: Event, partition: int) -> list[tuple[Any, ...]]:
    event_id, currency = event["event_id"].lower(), event["currency"]
    return [
        (event_id, number, _ACCOUNTS.id_of(debit, event)[0], _ACCOUNTS.id_of(credit, event)[0], amount, currency,
         record, event["occurred_at"], partition)
        for number, debit, credit, amount in bookings(record, event)
    ]  # fmt: skip


def _legs(_record: str, event: Event, _partition: int) -> list[tuple[Any, ...]]:
    bet_id = event["bet_id"].lower()
    return [
        (bet_id, leg["leg_no"], leg["sport"], leg["sport_event_id"], leg["market_id"], leg["outcome_id"], leg["odds"],
         leg["is_in_play"])
        for leg in event["legs"]
    ]  # fmt: skip


TRANSFERS = Link(
    check="transfers",
    topic="wallet-transactions",
    records=TOPICS["wallet-transactions"].records,
    fact="wallet_transaction",
    key="event_id",
    child="wallet_transfer",
    child_key="event_id",
    columns=("event_id", "number", "debit_account", "credit_account", "amount", "currency", "record", "occurred_at",
             "source_partition"),
    expected=_transfers,
)  # fmt: skip
LEGS = Link(
    check="legs",
    topic="bet-events",
    records=("BetPlaced",),
    fact="trading_bet",
    key="id",
    child="trading_leg",
    child_key="bet_id",
    columns=("bet_id", "leg_no", "sport", "sport_event_id", "market_id", "outcome_id", "odds", "is_in_play"),
    expected=_legs,
)
LINKS = (TRANSFERS, LEGS)
