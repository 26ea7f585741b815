"""`wallet-transactions` and `game-rounds` into the ledger, payments and rounds."""

from collections.abc import Callable
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from backoffice.contracts.catalogue import TOPICS
from backoffice.metrics.windows import (
    BY_HOUR_AND_DAY,
    WINDOW,
    WINDOW_KEY,
    WINDOW_SUMS,
    bucketed,
    count_events,
    track_activity,
    with_longer_spans,
)
from backoffice.streams.store.projection import Columns, Stream, constant, renamed, stamped, standing

from .domain import ledger

TOPIC = "wallet-transactions"
ROUNDS = "game-rounds"

# What each record says of its payment, and how much that counts: a beginning gives way to any end, and an end at which
# no money moved to one at which it did, for that is in the ledger. Between equals the log decides.
PAYMENTS = {
    "DepositInitiated": ("deposit", "initiated", 0),
    "DepositDeclined": ("deposit", "declined", 1),
    "DepositCompleted": ("deposit", "completed", 2),
    "WithdrawalRequested": ("withdrawal", "requested", 0),
    "WithdrawalReversed": ("withdrawal", "reversed", 1),
    "WithdrawalDeclined": ("withdrawal", "declined", 1),
    "WithdrawalPaid": ("withdrawal", "paid", 2),
}

wallet = Stream("wallet")


@wallet.project(*ledger.MOVEMENTS, into="wallet_transaction", key="event_id", fact=True)
def transactions(events: pa.Table) -> pa.Table:
    """Every event of the topic, with whatever of these columns its record has."""
    wanted = (
        "player_id", "brand", "jurisdiction", "currency", "amount", "bonus_amount", "vertical", "payment_id", "bet_id",
        "round_id", "bonus_id", "reason", "actor",
    )  # fmt: skip
    return events.select([name for name in wanted if name in events.column_names])


def _ledger(record: str) -> None:
    """The three projections that book one record type."""
    booked = _once_for_each_table(partial(ledger.booked, record=record))

    @wallet.project(record, into="wallet_transfer", key=("event_id", "number"))
    def moved(events: pa.Table) -> pa.Table:
        return booked(events).transfers

    @wallet.project(record, into="wallet_account", key="id", once=True)
    def touched(events: pa.Table) -> pa.Table:
        return booked(events).accounts

    @wallet.project(record, into="wallet_balance", key=("account_id", "partition"), adding=("debits", "credits"))
    def balanced(events: pa.Table) -> pa.Table:
        return ledger.entries(booked(events).transfers)


def _once_for_each_table(book: Callable[[pa.Table], ledger.Booking]) -> Callable[[pa.Table], ledger.Booking]:
    """The projections of a record get one table after another; what all of them need of it is worked out once."""
    last: tuple[pa.Table, ledger.Booking] | None = None

    def booked(events: pa.Table) -> ledger.Booking:
        nonlocal last
        known = last
        if known is None or known[0] is not events:
            known = last = (events, book(events))
        return known[1]

    return booked


for _record, _movements in ledger.MOVEMENTS.items():
    if _movements:
        _ledger(_record)


def _payment(direction: str, status: str, rank: int) -> Columns:
    def payments(events: pa.Table) -> pa.Table:
        known = ("player_id", "brand", "jurisdiction", "method", "provider", "instrument_id", "currency", "amount")
        rows = renamed(events, id="payment_id", **{name: name for name in known})
        for column, value in (("direction", direction), ("status", status), ("status_rank", rank)):
            rows = rows.append_column(column, constant(events, value))
        declined = "decline_reason" in events.column_names
        reason = events["decline_reason"] if declined else pa.nulls(events.num_rows, pa.string())
        return stamped(rows.append_column("decline_reason", reason), events, "status")

    return payments


for _record, _said in PAYMENTS.items():
    wallet.project(_record, into="wallet_payment", key="id", newest_by=("status_rank", *standing("status")))(
        _payment(*_said)
    )


@wallet.project("RoundCompleted", into="wallet_round", key="id", fact=True)
def rounds(events: pa.Table) -> pa.Table:
    known = (
        "player_id", "brand", "jurisdiction", "game_id", "provider", "vertical", "currency", "stake", "win",
        "jackpot_win", "bonus_stake", "bonus_win", "session_id", "started_at",
    )  # fmt: skip
    return renamed(events, id="round_id", **{name: name for name in known})


@wallet.project("RoundCompleted", into=WINDOW, key=WINDOW_KEY, adding=WINDOW_SUMS)
def round_revenue(events: pa.Table) -> pa.Table:
    """GGR of casino rounds: real-money stakes less real-money wins and jackpots.

    Source: domain.md §1 (casino: bets − wins).
    """
    won = pc.add(events["win"], events["jackpot_win"])
    revenue = pc.subtract(events["stake"], won)
    return with_longer_spans(bucketed(events, "ggr", ROUNDS, key=events["vertical"], amount=revenue))


@wallet.project("RoundCompleted", into=WINDOW, key=WINDOW_KEY, adding=WINDOW_SUMS)
def round_stakes(events: pa.Table) -> pa.Table:
    return bucketed(events, "stakes", ROUNDS, key=events["vertical"], amount=events["stake"])


@wallet.project("DepositCompleted", into=WINDOW, key=WINDOW_KEY, adding=WINDOW_SUMS)
def deposits(events: pa.Table) -> pa.Table:
    return bucketed(events, "deposits_completed", TOPIC, key=events["provider"], amount=events["amount"])


@wallet.project("DepositDeclined", into=WINDOW, key=WINDOW_KEY, adding=WINDOW_SUMS)
def declined_deposits(events: pa.Table) -> pa.Table:
    return bucketed(events, "deposits_declined", TOPIC, key=events["provider"], amount=events["amount"])


track_activity(wallet, ["DepositCompleted", "RoundCompleted"])
count_events(wallet, [*TOPICS[TOPIC].records, *TOPICS[ROUNDS].records])
# Both verticals, those of trading too: revenue is one metric.
BY_HOUR_AND_DAY.add("ggr")
