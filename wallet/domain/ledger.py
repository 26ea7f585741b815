"""What each wallet event moves, from which account to which. Columns in, columns out.

Accounts of a player: cash, bonus, open bets, pending withdrawals. Accounts of the house: clearing for each provider,
revenue for each vertical, bonus cost, adjustments. An account's id follows from what it is, so that nothing has to be
looked up: a player's is the player's id XORed with a mask of kind and currency.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backoffice.kernel.ids import derived_id, derived_mask

PLAYER_KINDS = frozenset({"cash", "bonus", "open_bets", "pending_withdrawals"})
# Where a house account's subject stands in the event.
SUBJECTS = {"clearing": "provider", "revenue": "vertical"}


@dataclass(frozen=True)
class Movement:
    """``amount`` (a column) goes from the account ``debit`` to the account ``credit`` where ``when`` holds.

    ``when`` is a column and the value that it must have; a leading "!" on the value means any other.
    """

    debit: str
    credit: str
    amount: str = "amount"
    when: tuple[str, str] | None = None


def _both(debit: str, credit: str, when: tuple[str, str] | None = None) -> tuple[Movement, Movement]:
    """The same for cash and for bonus money: ``player`` stands for either account."""
    return (
        Movement(debit.replace("player", "cash"), credit.replace("player", "cash"), "amount", when),
        Movement(debit.replace("player", "bonus"), credit.replace("player", "bonus"), "bonus_amount", when),
    )


MOVEMENTS: dict[str, tuple[Movement, ...]] = {
    "DepositInitiated": (),
    "DepositDeclined": (),
    "DepositCompleted": (Movement("clearing", "cash"),),
    "WithdrawalRequested": (Movement("cash", "pending_withdrawals"),),
    "WithdrawalReversed": (Movement("pending_withdrawals", "cash"),),
    "WithdrawalDeclined": (Movement("pending_withdrawals", "cash"),),
    "WithdrawalPaid": (Movement("pending_withdrawals", "clearing"),),
    # A sports stake stays the player's until the bet is settled; a casino stake is the house's at once.
    "StakeTaken": _both("player", "open_bets", ("vertical", "sports"))
    + _both("player", "revenue", ("vertical", "!sports")),
    "StakeReleased": (Movement("open_bets", "revenue"), Movement("open_bets", "revenue", "bonus_amount")),
    "StakeRefunded": _both("open_bets", "player", ("was_settled", "false"))
    + _both("revenue", "player", ("was_settled", "true")),
    "WinningsPaid": _both("revenue", "player"),
    "WinningsReversed": _both("player", "revenue"),
    "BonusCredited": (Movement("bonus_cost", "bonus"),),
    "BonusConverted": (Movement("bonus", "cash"),),
    "BonusForfeited": (Movement("bonus", "bonus_cost"),),
    "BalanceAdjusted": (
        Movement("adjustments", "cash", when=("direction", "credit")),
        Movement("cash", "adjustments", when=("direction", "debit")),
    ),
}


@dataclass(frozen=True)
class Booking:
    """What events of one record type do: transfers linked by ``event_id``, and a row for each account of each."""

    transfers: pa.Table
    accounts: pa.Table


def booked(events: pa.Table, record: str) -> Booking:
    """The booking of these events of one record type; zero amounts move nothing."""
    moving = [(number, movement, _moving(events, movement)) for number, movement in enumerate(MOVEMENTS[record])]
    # What is empty is left out, but one part says which columns there are.
    moving = [part for part in moving if part[2].num_rows] or moving[:1]
    if not moving:
        return Booking(_none_of(events), _none_of(events))
    transfers, accounts = [], []
    for number, movement, sources in moving:
        sides = [(kind, account_ids(sources, kind)) for kind in (movement.debit, movement.credit)]
        transfers.append(_transfers(sources, record, number, movement, *(ids for _, ids in sides)))
        accounts += [_described(sources, kind, ids) for kind, ids in sides]
    return Booking(pa.concat_tables(transfers), pa.concat_tables(accounts))


def entries(moved: pa.Table) -> pa.Table:
    """What each transfer adds to the balances of its two accounts."""
    zero = pa.chunked_array([pa.repeat(pa.scalar(0), moved.num_rows)])
    sides = (("debit_account", moved["amount"], zero), ("credit_account", zero, moved["amount"]))
    return pa.concat_tables(
        pa.table(
            {"account_id": moved[side], "partition": moved["source_partition"], "debits": debits, "credits": credits}
        )
        for side, debits, credits in sides
    )


def _transfers(
    moving: pa.Table, record: str, number: int, movement: Movement, debit: pa.Array, credit: pa.Array
) -> pa.Table:
    same = {name: moving[name] for name in ("event_id", "currency", "occurred_at", "source_partition")}
    return pa.table(
        {
            **same,
            "number": pa.repeat(pa.scalar(number, pa.int16()), moving.num_rows),
            "debit_account": debit,
            "credit_account": credit,
            "amount": moving[movement.amount],
            "record": pa.repeat(pa.scalar(record), moving.num_rows),
        }
    )


def _moving(events: pa.Table, movement: Movement) -> pa.Table:
    mask = pc.greater(events[movement.amount], 0)
    if movement.when is not None:
        column, value = movement.when
        equal = pc.equal(events[column].cast(pa.string()), value.lstrip("!"))
        mask = pc.and_(mask, pc.invert(equal) if value.startswith("!") else equal)
    return events.filter(pc.fill_null(mask, False))


def account_ids(events: pa.Table, kind: str) -> pa.Array:
    """For each event the 16-byte id of the account of that kind which it touches."""
    currencies = events["currency"].combine_chunks().dictionary_encode()
    names = currencies.dictionary.to_pylist()
    codes = currencies.indices.to_numpy()
    if kind in PLAYER_KINDS:
        masks = np.array([list(derived_mask(kind, name)) for name in names], np.uint8).reshape(-1, 16)
        return _binary16(_octets(events["player_id"]) ^ masks[codes])
    subjects = _subjects(events, kind).dictionary_encode()
    known = subjects.dictionary.to_pylist()
    table = np.array([[list(derived_id(kind, s, c).bytes) for c in names] for s in known], np.uint8)
    return _binary16(table.reshape(len(known), len(names), 16)[subjects.indices.to_numpy(), codes])


def _described(events: pa.Table, kind: str, ids: pa.Array) -> pa.Table:
    mine = kind in PLAYER_KINDS
    rows = events.num_rows
    owner = events["player_id"] if mine else pa.nulls(rows, events["player_id"].type)
    subject = pa.repeat(pa.scalar(""), rows) if mine else _subjects(events, kind)
    return pa.table(
        {
            "id": ids,
            "kind": pa.repeat(pa.scalar(kind), rows),
            "player_id": owner,
            "subject": subject,
            "currency": events["currency"],
        }
    )


def _subjects(events: pa.Table, kind: str) -> pa.Array:
    if kind in SUBJECTS:
        return events[SUBJECTS[kind]].combine_chunks()
    return pa.repeat(pa.scalar(""), events.num_rows)


def _octets(ids: pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    flat = ids.combine_chunks()
    data = np.frombuffer(flat.buffers()[1], np.uint8, 16 * len(flat), 16 * flat.offset)
    return data.reshape(-1, 16)


def _binary16(octets: npt.NDArray[np.uint8]) -> pa.Array:
    data = np.ascontiguousarray(octets, np.uint8)
    return pa.Array.from_buffers(pa.binary(16), len(data), [None, pa.py_buffer(data)])


def _none_of(events: pa.Table) -> pa.Table:
    nothing = events.slice(0, 0)
    return pa.table({name: nothing[name] for name in ("event_id", "currency", "occurred_at", "source_partition")})
