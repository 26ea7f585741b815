"""What the wallet's tables must hold, by `wallet-transactions` and `game-rounds`; said apart from the projections.

The ledger's rules are said a second time here and in other words; tests ask them too.

Source: the meaning of each record, debit to credit; casino stakes are the house's at once, sports stakes when the
bet is settled.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.contracts.catalogue import TOPICS
from backoffice.kernel.ids import derived_id, derived_mask
from backoffice.kernel.money import CURRENCIES
from backoffice.reconcile.declared import (
    Agreement,
    Book,
    Count,
    Description,
    Entry,
    Invariant,
    Link,
    Look,
    State,
    describe,
    same,
    standing,
)
from backoffice.reconcile.differences import Difference, Weight
from backoffice.reconcile.messages.reading import Event

from .invariants import (
    ENDS,
    Movement,
    booked_otherwise,
    ended_otherwise,
    named_otherwise,
    of_no_account,
    told_by_none,
    unlike_its_transfers,
)

TRANSACTIONS, ROUNDS = "wallet-transactions", "game-rounds"
OF_MONEY = ("wallet", TRANSACTIONS)
LEDGER = "ledger"
PLAYERS_OWN = frozenset({"cash", "bonus", "open_bets", "pending_withdrawals"})

# Debit, credit and the field with the amount, in the order of their numbers.
_ALWAYS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "DepositInitiated": (),
    "DepositDeclined": (),
    "DepositCompleted": (("clearing", "cash", "amount"),),
    "WithdrawalRequested": (("cash", "pending_withdrawals", "amount"),),
    "WithdrawalReversed": (("pending_withdrawals", "cash", "amount"),),
    "WithdrawalDeclined": (("pending_withdrawals", "cash", "amount"),),
    "WithdrawalPaid": (("pending_withdrawals", "clearing", "amount"),),
    "StakeReleased": (("open_bets", "revenue", "amount"), ("open_bets", "revenue", "bonus_amount")),
    "WinningsPaid": (("revenue", "cash", "amount"), ("revenue", "bonus", "bonus_amount")),
    "WinningsReversed": (("cash", "revenue", "amount"), ("bonus", "revenue", "bonus_amount")),
    "BonusCredited": (("bonus_cost", "bonus", "amount"),),
    "BonusConverted": (("bonus", "cash", "amount"),),
    "BonusForfeited": (("bonus", "bonus_cost", "amount"),),
}
_PAYMENTS = {
    f"{record}{outcome}": (direction, outcome.lower())
    for direction, record, outcomes in (
        ("deposit", "Deposit", ("Initiated", "Completed", "Declined")),
        ("withdrawal", "Withdrawal", ("Requested", "Reversed", "Declined", "Paid")),
    )
    for outcome in outcomes
}
# A beginning gives way to any end; an end at which no money moved to one at which it did.
_RANKS = {
    record: 0 if status in ("initiated", "requested") else 2 if status in ("completed", "paid") else 1
    for record, (_, status) in _PAYMENTS.items()
}
_TRANSFER = ("event_id", "number", "debit_account", "credit_account", "amount", "currency", "record", "occurred_at",
             "source_partition")  # fmt: skip

Booking = tuple[int, str, str, int]
Account = tuple[str, str, str]


def bookings(record: str, event: Mapping[str, Any]) -> Iterator[Booking]:
    """Number, kind of the debited and of the credited account, and amount of each transfer; none of them is zero."""
    first, movements = _movements(record, event)
    for number, (debit, credit, field) in enumerate(movements, first):
        if event[field] > 0:
            yield number, debit, credit, event[field]


def _movements(record: str, event: Mapping[str, Any]) -> tuple[int, tuple[tuple[str, str, str], ...]]:
    if record == "StakeTaken":
        at_once = event["vertical"] != "sports"
        to = "revenue" if at_once else "open_bets"
        return 2 * at_once, (("cash", to, "amount"), ("bonus", to, "bonus_amount"))
    if record == "StakeRefunded":
        settled = bool(event["was_settled"])
        source = "revenue" if settled else "open_bets"
        return 2 * settled, ((source, "cash", "amount"), (source, "bonus", "bonus_amount"))
    if record == "BalanceAdjusted":
        if event["direction"] == "credit":
            return 0, (("adjustments", "cash", "amount"),)
        return 1, (("cash", "adjustments", "amount"),)
    return 0, _ALWAYS.get(record, ())


def _booked() -> list[Movement]:
    """Every transfer that a record can make, by each of the ways in which it can be booked."""
    ways: list[tuple[str, dict[str, Any], bool | None]] = [
        ("StakeTaken", {"vertical": "sports"}, True),
        ("StakeTaken", {"vertical": ""}, False),
        *(("StakeRefunded", {"was_settled": settled}, None) for settled in (False, True)),
        *(("BalanceAdjusted", {"direction": direction}, None) for direction in ("credit", "debit")),
        *((record, {}, None) for record in _ALWAYS),
    ]
    return [
        (record, way, number, debit, credit, field, of_sports)
        for way, (record, event, of_sports) in enumerate(ways)
        for first, moves in [_movements(record, event)]
        for number, (debit, credit, field) in enumerate(moves, first)
    ]


def owner(kind: str, event: Mapping[str, Any]) -> str:
    """Whose account of the kind an event touches: a player's, a provider's, a vertical's or nobody's."""
    if kind in PLAYERS_OWN:
        return str(event["player_id"]).lower()
    return str(event["provider"] if kind == "clearing" else event["vertical"] if kind == "revenue" else "")


class Accounts:
    """The ids of accounts, from what they are: (kind, player or subject, currency)."""

    LIMIT = 300_000

    def __init__(self) -> None:
        self._ids: dict[Account, str] = {}
        self._masks: dict[tuple[str, str], int] = {}

    def id_of(self, kind: str, whose: str, currency: str) -> str:
        account = (kind, whose, currency)
        found = self._ids.get(account)
        if found is None:
            if len(self._ids) >= self.LIMIT:
                self._ids.clear()
            found = self._ids[account] = self._made(*account)
        return found

    def _made(self, kind: str, whose: str, currency: str) -> str:
        if kind not in PLAYERS_OWN:
            return str(derived_id(kind, whose, currency))
        mask = self._masks.get((kind, currency))
        if mask is None:
            mask = self._masks[kind, currency] = int.from_bytes(derived_mask(kind, currency), "big")
        return str(UUID(int=UUID(whose).int ^ mask))


_ACCOUNTS = Accounts()


def player_account(kind: str, player_id: str, currency: str) -> str:
    """The id of a player's account."""
    return _ACCOUNTS.id_of(kind, player_id.lower(), currency)


def _entries(record: str, event: Event) -> Iterator[Entry]:
    """Both sides of each transfer, with kind, player, subject and currency of the account."""
    currency, player = event["currency"], event["player_id"].lower()
    for _, debit, credit, amount in bookings(record, event):
        for kind, debits, credits in ((debit, amount, 0), (credit, 0, amount)):
            mine = kind in PLAYERS_OWN
            whose = player if mine else owner(kind, event)
            row = (kind, whose, "", currency) if mine else (kind, None, whose, currency)
            yield _ACCOUNTS.id_of(kind, whose, currency), row, debits, credits


def _transfers(record: str, event: Event, partition: int) -> list[tuple[Any, ...]]:
    event_id, currency = event["event_id"].lower(), event["currency"]
    return [
        (event_id, number, _ACCOUNTS.id_of(debit, owner(debit, event), currency),
         _ACCOUNTS.id_of(credit, owner(credit, event), currency), amount, currency, record, event["occurred_at"],
         partition)
        for number, debit, credit, amount in bookings(record, event)
    ]  # fmt: skip


def _round(event: Event) -> list[Count]:
    """Revenue of a round is stake less winnings, real money only."""
    vertical, stake = event["vertical"], event["stake"]
    return [("stakes", vertical, stake), ("ggr", vertical, stake - event["win"] - event["jackpot_win"])]


def _overdrawn(look: Look) -> Iterator[Difference]:
    """Players' accounts out of which more was taken than was there."""
    look.cursor.execute(
        sql.SQL(
            "SELECT a.id::text, a.kind, a.player_id::text, a.currency, b.balance FROM (SELECT account_id,"
            " sum(credits) - sum(debits) AS balance FROM wallet_balance WHERE {} GROUP BY 1) b"
            " JOIN wallet_account a ON a.id = b.account_id WHERE a.player_id IS NOT NULL AND b.balance < 0"
        ).format(look.condition),
        look.bounds,
    )
    for account, kind, player_id, currency, balance in look.cursor.fetchall():
        says = f"A player's account ({kind}) is below zero; more was taken out of it than was there."
        stands = {"player_id": player_id, "currency": currency, "balance": int(balance)}
        where = f"account_id={account}"
        yield Difference("overdrawn", says, TRANSACTIONS, where=where, postgres=stands, weight=Weight.WARNING)


def _two_sided(look: Look) -> Iterator[Difference]:
    """What is debited in a currency is credited in it; looked at whenever a round has come to its end."""
    if not look.is_last:
        return
    look.cursor.execute(
        "SELECT a.currency, sum(b.debits), sum(b.credits)"
        " FROM wallet_balance b JOIN wallet_account a ON a.id = b.account_id GROUP BY 1"
        " HAVING sum(b.debits) <> sum(b.credits)"
    )
    for currency, debits, credits in look.cursor.fetchall():
        sides = {"debits": int(debits), "credits": int(credits)}
        says = f"Debits and credits in {currency} are not the same."
        yield Difference("books", says, TRANSACTIONS, where=currency, postgres=sides)


def moved_by_bet(cursor: CursorWrapper, account: str) -> dict[str, tuple[int, datetime]]:
    """What each bet has left in an account, and when it last moved something there; by the transfers that stand."""
    cursor.execute(
        "SELECT x.bet_id::text, sum(t.signed), max(t.occurred_at) FROM ("
        " SELECT event_id, amount AS signed, occurred_at FROM wallet_transfer WHERE credit_account = %s"
        " UNION ALL SELECT event_id, -amount, occurred_at FROM wallet_transfer WHERE debit_account = %s) t"
        " JOIN wallet_transaction x ON x.event_id = t.event_id GROUP BY 1",
        [account, account],
    )
    return {bet_id or "": (int(left), at) for bet_id, left, at in cursor.fetchall()}


def owners_of(account: str, kind: str) -> dict[str, str]:
    """Whose account of the kind this would be: a player's id for each currency."""
    return {
        str(UUID(int=UUID(account).int ^ int.from_bytes(derived_mask(kind, currency), "big"))): currency
        for currency in CURRENCIES
    }


WALLET = Description(
    "wallet",
    fields={("RoundCompleted", "id"): "round_id"},
    states=(
        State(
            "payment",
            tuple(_PAYMENTS),
            "wallet_payment",
            {"id": "payment_id"},
            ("status_rank", *standing("status")),
            same("player_id brand jurisdiction method provider instrument_id currency amount decline_reason")
            | {"status_at": "at"},
            ranks=_RANKS,
            constants=tuple(
                (record, column, value)
                for record, two in _PAYMENTS.items()
                for column, value in zip(("direction", "status"), two, strict=True)
            ),
        ),
    ),
    links=(
        Link("transfers", TRANSACTIONS, TOPICS[TRANSACTIONS].records, "wallet_transaction", "event_id",
             "wallet_transfer", "event_id", _TRANSFER, _transfers),
    ),
    counts={
        "RoundCompleted": _round,
        "DepositCompleted": lambda event: [("deposits_completed", event["provider"], event["amount"])],
        "DepositDeclined": lambda event: [("deposits_declined", event["provider"], event["amount"])],
    },
    by_hour_and_day=frozenset({"ggr"}),
    counted=frozenset(TOPICS[TRANSACTIONS].records + TOPICS[ROUNDS].records),
    seen=("DepositCompleted", "RoundCompleted"),
    books=(
        Book(LEDGER, TRANSACTIONS, _entries, "wallet_balance", "wallet_account",
             ("kind", "player_id", "subject", "currency")),
    ),
    invariants=(
        Invariant("accounts below zero", "wallet_balance", ("account_id",), (OF_MONEY,), _overdrawn),
        Invariant("both sides", "wallet_balance", ("account_id",), (OF_MONEY,), _two_sided),
        Invariant("accounts", "wallet_account", ("id",), (OF_MONEY,),
                  partial(named_otherwise, _ACCOUNTS.id_of, PLAYERS_OWN)),
        Invariant("accounts of balances", "wallet_balance", ("account_id",), (OF_MONEY,), of_no_account),
        Invariant("sums of transfers", "wallet_account", ("id",), (OF_MONEY,), unlike_its_transfers),
        Invariant("bookings", "wallet_transaction", ("event_id",), (OF_MONEY,),
                  partial(booked_otherwise, _booked(), PLAYERS_OWN)),
        Invariant("payments", "wallet_payment", ("id",), (OF_MONEY,),
                  partial(told_by_none, [(record, *said, _RANKS[record]) for record, said in _PAYMENTS.items()])),
    ),
    agreements=(Agreement(TRANSACTIONS, ENDS, ended_otherwise),),
)  # fmt: skip


def register() -> None:
    describe(WALLET)
