"""The ledger's columns against the bookkeeper's: every record, any events, nothing lost and nothing made."""

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.contracts.catalogue import TOPICS
from tests.streams.arriving import arrived, event_of
from tests.wallet.book import Account, Posting, postings
from wallet.domain import ledger
from wallet.models import Account as AccountModel

PLAYERS = [str(UUID(int=7 << 80 | number)) for number in (1, 2, 3)]
Event = dict[str, Any]
RECORDS = TOPICS["wallet-transactions"].records
VERTICALS = ("sports", "slots", "table", "live")

changes = st.fixed_dictionaries(
    {
        "event_id": st.uuids().map(str),
        "player_id": st.sampled_from(PLAYERS),
        "currency": st.sampled_from(["EUR", "SEK", "JPY"]),
        "amount": st.one_of(st.just(0), st.integers(1, 10**12)),
        "bonus_amount": st.one_of(st.just(0), st.integers(1, 10**12)),
        "vertical": st.sampled_from(VERTICALS),
        "provider": st.sampled_from(["Adyen", "Trustly"]),
        "direction": st.sampled_from(["credit", "debit"]),
        "was_settled": st.booleans(),
    }
)
histories = st.lists(
    st.tuples(st.sampled_from(RECORDS), changes), max_size=25, unique_by=lambda told: told[1]["event_id"]
)


def tables_of(history: list[tuple[str, Event]]) -> dict[str, pa.Table]:
    """The events of each record as the stream hands them over."""
    by_record: dict[str, list[Event]] = defaultdict(list)
    for record, change in history:
        by_record[record].append({name: value for name, value in change.items() if name in event_of(record)})
    return {record: arrived(record, *events) for record, events in by_record.items()}


def accounts_of(tables: dict[str, pa.Table]) -> dict[bytes, Account]:
    """What each account's id stands for; one id never stands for two."""
    found: dict[bytes, Account] = {}
    for record, events in tables.items():
        rows = ledger.booked(events, record).accounts.to_pylist() if ledger.MOVEMENTS[record] else []
        for row in rows:
            owner = row["subject"] if row["player_id"] is None else str(UUID(bytes=row["player_id"]))
            assert found.setdefault(row["id"], Account(row["kind"], owner, row["currency"])).owner == owner
            assert found[row["id"]] == Account(row["kind"], owner, row["currency"])
    assert len(set(found.values())) == len(found)
    return found


def booked(tables: dict[str, pa.Table]) -> Counter[tuple[str, Posting]]:
    """The transfers with the event each belongs to, in the bookkeeper's words."""
    names = accounts_of(tables)
    return Counter(
        (
            str(UUID(bytes=row["event_id"])),
            Posting(names[row["debit_account"]], names[row["credit_account"]], row["amount"]),
        )
        for record, events in tables.items()
        for row in ledger.booked(events, record).transfers.to_pylist()
    )


@given(histories)
@settings(deadline=None)
def test_the_ledger_is_the_bookkeepers(history: list[tuple[str, Event]]) -> None:
    expected = Counter(
        (change["event_id"], posting) for record, change in history for posting in postings(record, change)
    )

    assert booked(tables_of(history)) == expected


@given(histories)
@settings(deadline=None)
def test_nothing_is_lost_and_nothing_is_made(history: list[tuple[str, Event]]) -> None:
    """Every transfer moves something, in one currency, and the two sides of all entries are the same."""
    tables = tables_of(history)
    names = accounts_of(tables)
    moved: Counter[str] = Counter()
    sides: Counter[tuple[str, str]] = Counter()
    for record, events in tables.items():
        transfers = ledger.booked(events, record).transfers
        for row in transfers.to_pylist():
            assert row["amount"] > 0
            assert row["debit_account"] != row["credit_account"]
            assert names[row["debit_account"]].currency == names[row["credit_account"]].currency == row["currency"]
            moved[row["currency"]] += row["amount"]
        if not transfers.num_rows:
            continue
        for entry in ledger.entries(transfers).to_pylist():
            sides[names[entry["account_id"]].currency, "debits"] += entry["debits"]
            sides[names[entry["account_id"]].currency, "credits"] += entry["credits"]
    for currency in ("EUR", "SEK", "JPY"):
        assert sides[currency, "debits"] == sides[currency, "credits"] == moved[currency]


def kinds(record: str, **change: Any) -> list[tuple[str, str, str, str, int]]:
    """Debit kind and owner, credit kind and owner, amount of each transfer of one event; a player is "player"."""
    tables = {record: arrived(record, {"player_id": PLAYERS[0]} | change)}
    names = accounts_of(tables)
    rows = ledger.booked(tables[record], record).transfers.to_pylist()
    sides = [(names[row["debit_account"]], names[row["credit_account"]], row["amount"]) for row in rows]
    return [(debit.kind, _owner(debit), credit.kind, _owner(credit), amount) for debit, credit, amount in sides]


def _owner(account: Account) -> str:
    return "player" if account.owner in PLAYERS else account.owner


CASH, BONUS = ("cash", "player"), ("bonus", "player")
OPEN, PENDING = ("open_bets", "player"), ("pending_withdrawals", "player")
SLOTS, SPORTS = ("revenue", "slots"), ("revenue", "sports")
ADYEN, COST, ADJUSTMENTS = ("clearing", "Adyen"), ("bonus_cost", ""), ("adjustments", "")


@pytest.mark.parametrize(
    ("record", "change", "expected"),
    [
        ("DepositInitiated", {}, []),
        ("DepositDeclined", {}, []),
        ("DepositCompleted", {"provider": "Adyen"}, [(*ADYEN, *CASH, 70)]),
        ("WithdrawalRequested", {}, [(*CASH, *PENDING, 70)]),
        ("WithdrawalReversed", {}, [(*PENDING, *CASH, 70)]),
        ("WithdrawalDeclined", {}, [(*PENDING, *CASH, 70)]),
        ("WithdrawalPaid", {"provider": "Adyen"}, [(*PENDING, *ADYEN, 70)]),
        ("StakeTaken", {"vertical": "sports"}, [(*CASH, *OPEN, 70), (*BONUS, *OPEN, 5)]),
        ("StakeTaken", {"vertical": "slots"}, [(*CASH, *SLOTS, 70), (*BONUS, *SLOTS, 5)]),
        ("StakeReleased", {"vertical": "sports"}, [(*OPEN, *SPORTS, 70), (*OPEN, *SPORTS, 5)]),
        ("StakeRefunded", {"vertical": "sports", "was_settled": False}, [(*OPEN, *CASH, 70), (*OPEN, *BONUS, 5)]),
        ("StakeRefunded", {"vertical": "sports", "was_settled": True}, [(*SPORTS, *CASH, 70), (*SPORTS, *BONUS, 5)]),
        ("WinningsPaid", {"vertical": "slots"}, [(*SLOTS, *CASH, 70), (*SLOTS, *BONUS, 5)]),
        ("WinningsReversed", {"vertical": "slots"}, [(*CASH, *SLOTS, 70), (*BONUS, *SLOTS, 5)]),
        ("BonusCredited", {}, [(*COST, *BONUS, 70)]),
        ("BonusConverted", {}, [(*BONUS, *CASH, 70)]),
        ("BonusForfeited", {}, [(*BONUS, *COST, 70)]),
        ("BalanceAdjusted", {"direction": "credit"}, [(*ADJUSTMENTS, *CASH, 70)]),
        ("BalanceAdjusted", {"direction": "debit"}, [(*CASH, *ADJUSTMENTS, 70)]),
    ],
)
def test_what_each_record_moves(record: str, change: dict[str, Any], expected: list[tuple[object, ...]]) -> None:
    amounts = {"amount": 70} | ({"bonus_amount": 5} if "bonus_amount" in event_of(record) else {})

    assert sorted(kinds(record, **amounts, **change)) == sorted(expected)


@pytest.mark.parametrize("record", RECORDS)
def test_an_amount_of_zero_moves_nothing(record: str) -> None:
    zero = {"amount": 0} | ({"bonus_amount": 0} if "bonus_amount" in event_of(record) else {})

    assert kinds(record, **zero) == []


def test_a_free_bet_is_staked_from_the_bonus_alone() -> None:
    assert kinds("StakeTaken", vertical="sports", amount=0, bonus_amount=500) == [(*BONUS, *OPEN, 500)]


def test_the_transfers_of_an_event_are_numbered() -> None:
    amounts = {"amount": 70, "bonus_amount": 5}
    events = arrived(
        "StakeTaken", *({"vertical": name, "event_id": PLAYERS[0]} | amounts for name in ("sports", "slots"))
    )

    numbers = [ledger.booked(events.slice(at, 1), "StakeTaken").transfers["number"].to_pylist() for at in (0, 1)]

    assert [len(set(found)) for found in numbers] == [2, 2]


def test_a_transfer_is_that_of_its_event() -> None:
    change = {"player_id": PLAYERS[0], "currency": "SEK", "provider": "Adyen", "amount": 70}
    events = arrived("DepositCompleted", change, change | {"amount": 80}, partition=5)
    cash, clearing = (ledger.account_ids(events, kind)[0].as_py() for kind in ("cash", "clearing"))

    transfers = ledger.booked(events, "DepositCompleted").transfers

    same = {"currency": "SEK", "source_partition": 5, "number": 0, "record": "DepositCompleted"}
    told = ("event_id", "occurred_at")
    assert transfers.to_pylist() == [
        {name: event[name] for name in told} | same | {"debit_account": clearing, "credit_account": cash, "amount": n}
        for event, n in zip(events.to_pylist(), (70, 80), strict=True)
    ]
    assert ledger.entries(transfers).to_pylist() == [
        {"account_id": clearing, "partition": 5, "debits": 70, "credits": 0},
        {"account_id": clearing, "partition": 5, "debits": 80, "credits": 0},
        {"account_id": cash, "partition": 5, "debits": 0, "credits": 70},
        {"account_id": cash, "partition": 5, "debits": 0, "credits": 80},
    ]


def test_an_account_says_whose_it_is() -> None:
    """A player's has no subject, a house account no player; one of neither provider nor vertical has no subject."""
    change = {"player_id": PLAYERS[0], "currency": "SEK", "provider": "Adyen", "vertical": "slots", "bonus_amount": 0}

    def described(record: str) -> list[dict[str, Any]]:
        events = arrived(record, {n: v for n, v in (change | {"amount": 70}).items() if n in event_of(record)})
        rows: list[dict[str, Any]] = ledger.booked(events, record).accounts.to_pylist()
        for row in rows:
            assert row.pop("id") == ledger.account_ids(events, row["kind"])[0].as_py()
        return rows

    cash = {"kind": "cash", "player_id": UUID(PLAYERS[0]).bytes, "subject": "", "currency": "SEK"}
    house = {"player_id": None, "currency": "SEK"}
    assert described("DepositCompleted") == [house | {"kind": "clearing", "subject": "Adyen"}, cash]
    assert described("StakeTaken") == [cash, house | {"kind": "revenue", "subject": "slots"}]
    assert described("BonusCredited") == [house | {"kind": "bonus_cost", "subject": ""}, cash | {"kind": "bonus"}]


@pytest.mark.parametrize("record", RECORDS)
def test_where_nothing_moves_the_columns_are_there_all_the_same(record: str) -> None:
    zero = {"amount": 0} | ({"bonus_amount": 0} if "bonus_amount" in event_of(record) else {})

    nothing = ledger.booked(arrived(record, zero), record)

    assert (nothing.transfers.num_rows, nothing.accounts.num_rows) == (0, 0)
    assert {"event_id", "currency", "occurred_at", "source_partition"} <= {*nothing.transfers.column_names}
    if ledger.MOVEMENTS[record]:
        usual = ledger.booked(arrived(record), record)
        assert nothing.transfers.schema.names == usual.transfers.schema.names
        assert nothing.accounts.schema.names == usual.accounts.schema.names


def test_every_record_of_the_topic_has_its_meaning_and_every_kind_its_place() -> None:
    used = {kind for moves in ledger.MOVEMENTS.values() for move in moves for kind in (move.debit, move.credit)}

    assert set(ledger.MOVEMENTS) == set(RECORDS)
    assert used == set(AccountModel.Kind.values)


def test_an_accounts_id_stays_as_it_is() -> None:
    """It stands in tables: another way to derive it would open every account anew."""
    events = arrived("DepositCompleted", {"player_id": PLAYERS[0], "currency": "EUR", "provider": "Adyen"})

    ids = [str(UUID(bytes=ledger.account_ids(events, kind).to_pylist()[0])) for kind in ("cash", "clearing")]

    assert ids == ["5660ca67-6dbc-90a8-c040-9c083f7be8e9", "0943b583-835b-72ec-9747-8035a2a86b10"]


@given(st.lists(st.tuples(st.uuids(), st.sampled_from(["EUR", "SEK", "GBP"])), min_size=1, max_size=8, unique=True))
def test_accounts_of_different_players_kinds_and_currencies_are_different(owners: list[tuple[UUID, str]]) -> None:
    events = arrived("StakeTaken", *({"player_id": str(player), "currency": code} for player, code in owners))
    every_kind = sorted(ledger.PLAYER_KINDS)

    ids = [octets for kind in every_kind for octets in ledger.account_ids(events, kind).to_pylist()]

    assert len(set(ids)) == len(owners) * len(every_kind)


def test_a_slice_of_events_touches_its_own_accounts() -> None:
    events = arrived("StakeTaken", *({"player_id": player, "currency": "EUR"} for player in PLAYERS))

    whole = ledger.account_ids(events, "cash").to_pylist()

    assert ledger.account_ids(events.slice(1, 1), "cash").to_pylist() == whole[1:2]
