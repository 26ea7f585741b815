"""The cases of docs/streams.md, "Which state wins": what is told of one thing, in what order, and what is then true."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.examples import MOMENT
from backoffice.kernel.ids import derived_id
from backoffice.streams.consume.logtimes import LogTimes
from backoffice.streams.standing import Standing, appended_of, claims_standing, standing_headers, standing_of
from tests.streams.arriving import event_of, message
from tests.streams.stored import Logged, Store

NOW_MS = int(MOMENT.timestamp() * 1_000)
EARLY = timedelta(minutes=10)
# What all messages of a test are about.
ID, SAME = str(derived_id("which state wins")), {"player_id", "payment_id"}


@dataclass(frozen=True)
class Said:
    """One message: its record and fields; when the broker took it (s after now), and where, if that matters."""

    record: str
    fields: dict[str, Any]
    logged: int = 0
    partition: int = 0
    stood: tuple[int, int] | None = None


def tell(store: Store, *said: Said, batches: bool = True) -> None:
    """In this order, in one batch or each in a batch of its own."""
    ends: dict[int, int] = {}
    log = []
    for number, one in enumerate(said):
        offset = ends.get(one.partition, 10 * one.partition)
        ends[one.partition] = offset + 1
        event = event_of(one.record, event_id=str(derived_id("which state wins", str(number), one.record)))
        value = message(one.record, event | dict.fromkeys(SAME & event.keys(), ID) | one.fields)
        log.append(Logged(one.partition, offset, value, logged=NOW_MS + 1_000 * one.logged, stood=one.stood))
    for part in [[one] for one in log] if batches else [log]:
        store.take({topic_of(said[0].record): part})


def one(store: Store, columns: str, table: str) -> Sequence[Any]:
    (row,) = store.connection.execute(f"SELECT {columns} FROM {table}".encode()).fetchall()
    return row


@pytest.fixture(params=[True, False], ids=["in batches of one", "in one batch"])
def batches(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


DEPOSIT = ("DepositInitiated", "DepositDeclined", "DepositCompleted")
WITHDRAWAL = ("WithdrawalRequested", "WithdrawalReversed", "WithdrawalPaid")


@pytest.mark.parametrize("records", [*permutations(DEPOSIT), *permutations(DEPOSIT[::2])])
def test_a_deposit_that_is_booked_is_completed_whatever_else_is_said_when(
    store: Store, records: tuple[str, ...], batches: bool
) -> None:
    """All at one instant, too: ids decide nothing."""
    tell(store, *(Said(record, {}) for record in records), batches=batches)

    assert one(store, "status, decline_reason", "wallet_payment") == ("completed", None)


@pytest.mark.parametrize("records", [*permutations(WITHDRAWAL), *permutations(WITHDRAWAL[::2])])
def test_a_withdrawal_that_is_booked_is_paid(store: Store, records: tuple[str, ...], batches: bool) -> None:
    tell(store, *(Said(record, {}) for record in records), batches=batches)

    assert one(store, "status", "wallet_payment") == ("paid",)


@pytest.mark.parametrize(("first", "then"), [*permutations(("WithdrawalReversed", "WithdrawalDeclined"))])
def test_between_equals_the_later_in_the_log_is_true(store: Store, first: str, then: str, batches: bool) -> None:
    tell(store, Said(first, {}), Said(then, {}), batches=batches)

    assert one(store, "status", "wallet_payment") == (then.removeprefix("Withdrawal").lower(),)


def test_a_clock_that_is_ahead_does_not_keep_a_player_active(store: Store, batches: bool) -> None:
    ahead, on_time = (
        {"status": "active", "occurred_at": MOMENT + EARLY},
        {"status": "frozen", "occurred_at": MOMENT},
    )

    tell(store, Said("PlayerStatusChanged", ahead), Said("PlayerStatusChanged", on_time, 1), batches=batches)

    assert one(store, "status, status_at", "players_player") == ("frozen", MOMENT)


def test_nothing_happened_after_it_was_logged(store: Store) -> None:
    tell(store, Said("PlayerStatusChanged", {"status": "active", "occurred_at": MOMENT + EARLY}, 5))

    assert one(store, "status_at", "players_player") == (MOMENT + timedelta(seconds=5),)
    assert one(store, "ahead, ahead_most", "streams_offset WHERE ahead > 0") == (1, 595_000)


def test_a_log_without_times_of_the_broker_is_ordered_by_offset(store: Store, batches: bool) -> None:
    statuses = [Said("PlayerStatusChanged", {"status": status}, -NOW_MS // 1_000) for status in ("closed", "active")]

    tell(store, *statuses, batches=batches)

    assert one(store, "status, status_at", "players_player") == ("active", MOMENT)


def test_a_key_that_moved_to_a_new_partition_is_later_there_at_a_lower_offset(store: Store, batches: bool) -> None:
    before = Said("PlayerStatusChanged", {"status": "active"}, 1, partition=2)
    after = Said("PlayerStatusChanged", {"status": "frozen"}, 2, partition=1)

    tell(store, before, after, batches=batches)
    assert one(store, "status, status_offset", "players_player") == ("frozen", 10)


@pytest.mark.parametrize("batched", [True, False])
def test_and_so_it_is_where_the_new_partition_is_read_first(store: Store, batched: bool) -> None:
    before = Said("PlayerStatusChanged", {"status": "active"}, 1, partition=2)
    after = Said("PlayerStatusChanged", {"status": "frozen"}, 2, partition=1)

    tell(store, after, before, batches=batched)

    assert one(store, "status", "players_player") == ("frozen",)


def test_a_dead_letter_sent_again_is_as_old_as_it_was(store: Store, batches: bool) -> None:
    """It stood before what is known by now."""
    now = Said("PlayerStatusChanged", {"status": "frozen"}, 60)
    replayed = Said("PlayerStatusChanged", {"status": "active"}, 3_600, stood=(NOW_MS, 0))

    tell(store, now, replayed, batches=batches)

    assert one(store, "status", "players_player") == ("frozen",)


def test_a_dead_letter_sent_again_counts_where_nothing_later_is_known(store: Store, batches: bool) -> None:
    first = Said("PlayerStatusChanged", {"status": "active"}, 0)
    replayed = Said("PlayerStatusChanged", {"status": "frozen"}, 3_600, stood=(NOW_MS + 1_000, 1))

    tell(store, first, replayed, batches=batches)

    assert one(store, "status, status_offset", "players_player") == ("frozen", 1)


def test_of_a_market_the_greatest_version_is_true_and_of_one_version_the_last(store: Store, batches: bool) -> None:
    said = [Said("MarketUpdate", {"version": version, "status": status}, place) for place, (version, status) in
            enumerate([(3, "open"), (5, "suspended"), (5, "closed"), (4, "open")])]  # fmt: skip

    tell(store, *said, batches=batches)

    assert one(store, "version, status", "trading_market") == (5, "closed")


def test_the_time_of_a_log_never_goes_back() -> None:
    times = LogTimes()
    times.start({0: 50})

    first = times.of(0, np.array([40, 60, 55, 70]))
    other = times.of(1, np.array([10, 5]))
    second = times.of(0, np.array([65, 71]))

    assert [*first, *second] == [50, 60, 60, 70, 70, 71]
    assert other.tolist() == [10, 10]
    assert all(before <= after for before, after in pairwise([*first, *second]))
    assert times.of(0, np.array([], np.int64)).tolist() == []


WHOSE = "brand, jurisdiction"


@pytest.mark.parametrize(
    ("later", "older", "table", "key"),
    [
        ("PlayerStatusChanged", "PlayerRegistered", "players_player", "player_id"),
        ("PlayerRegistered", "PlayerVerified", "players_player", "player_id"),
        ("SessionEnded", "SessionStarted", "players_session", "session_id"),
        ("BonusCompleted", "BonusGranted", "players_bonus", "bonus_id"),
        ("BonusGranted", "BonusExpired", "players_bonus", "bonus_id"),
    ],
)
def test_whose_a_thing_is_the_latest_event_of_any_kind_says(
    store: Store, batches: bool, later: str, older: str, table: str, key: str
) -> None:
    now = Said(later, {key: ID, "brand": "new", "jurisdiction": "DE"}, 60)
    replayed = Said(older, {key: ID, "brand": "old", "jurisdiction": "SE"}, 3_600, stood=(NOW_MS, 0))

    tell(store, now, replayed, batches=batches)

    assert one(store, WHOSE, table) == ("new", "DE")


OWN = (NOW_MS, 9)


@pytest.mark.parametrize(
    "headers",
    [
        None, [], [("replay_offset", b"1")], [("replay_logged", b"1")],
        [("replay_offset", b"x"), ("replay_logged", b"1")], [("replay_offset", b"-1"), ("replay_logged", b"1")],
        [("replay_offset", b"1"), ("replay_logged", b"-1")], [("replay_offset", b"1"), ("replay_logged", None)],
        [("replay_offset", b"1"), ("replay_logged", str(2**63).encode())],
        [("replay_offset", str(2**63).encode()), ("replay_logged", b"1")],
    ],
)  # fmt: skip
def test_headers_that_tell_no_place_are_none(headers: Any) -> None:
    assert standing_of(headers, OWN) is None


@pytest.mark.parametrize(
    ("told", "own", "believed"),
    [
        ((NOW_MS, 7), OWN, True), ((NOW_MS - 1, 70), OWN, True), ((0, 7), OWN, True), ((0, 7), (0, 9), True),
        (OWN, OWN, False), ((NOW_MS, 10), OWN, False), ((NOW_MS + 1, 7), OWN, False), ((NOW_MS, 7), (0, 9), False),
        ((0, 9), (0, 9), False),
    ],
)  # fmt: skip
def test_a_place_is_believed_where_it_lies_before_that_of_the_message(
    told: Standing, own: Standing, believed: bool
) -> None:
    """One without a time stands before all that has one, and among its like by its offset."""
    headers = [(name, value.encode()) for name, value in standing_headers(*told).items()]

    assert standing_of([("other", b"1"), *headers], own) == (told if believed else None)
    assert claims_standing(headers)


@pytest.mark.parametrize(
    ("said", "believed"), [(NOW_MS, NOW_MS), (1, 1), (NOW_MS + 1, 0), (0, 0), (-1, 0), ("x", 0), ("", 0), (None, 0)]
)
def test_when_it_was_told_at_first_is_believed_where_its_log_had_come_as_far(said: Any, believed: int) -> None:
    headers = [("replay_appended", said if said is None else str(said).encode())]

    assert appended_of(headers, (NOW_MS, 7)) == believed
    assert appended_of(headers, (0, 7)) == 0
    assert appended_of(None, (NOW_MS, 7)) == 0


def test_a_dead_letter_without_a_time_is_older_than_what_has_one(store: Store, batches: bool) -> None:
    now = Said("PlayerStatusChanged", {"status": "frozen"}, 60)
    replayed = Said("PlayerStatusChanged", {"status": "active"}, 3_600, stood=(0, 0))

    tell(store, now, replayed, batches=batches)

    assert one(store, "status", "players_player") == ("frozen",)


def test_a_dead_letter_keeps_the_place_that_it_came_with(store: Store) -> None:
    value = message("PlayerStatusChanged", event_of("PlayerStatusChanged")) + b"junk"
    store.take({"player-events": [Logged(0, 0, value, logged=5), Logged(0, 1, value, logged=9, stood=(5, 0))]})

    found = store.connection.execute(
        "SELECT logged, standing_logged, standing_offset, standing_appended FROM streams_deadletter"
        " WHERE stream = 'players' ORDER BY id"
    ).fetchall()
    assert found == [(5, 5, 0, 5), (9, 5, 0, 0)]
