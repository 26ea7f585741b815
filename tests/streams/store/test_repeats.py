"""The same event told twice changes nothing; another one under its id is never taken for it."""

from collections.abc import Callable
from typing import Any

import pytest

from backoffice.contracts.codec import encode, frame
from backoffice.contracts.definitions import schema
from backoffice.contracts.digests import digests
from backoffice.contracts.writers import Writer
from tests.streams.arriving import event_of, message
from tests.streams.stored import Store, log_of_values

WALLET = "wallet-transactions"
CLASH = "Its event_id belongs to an event with another body or record, which is stored already"


def taken(amount: int = 1_000, **changes: Any) -> bytes:
    return message("StakeTaken", event_of("StakeTaken", amount=amount, **changes))


def paid(amount: int = 50_000, **changes: Any) -> bytes:
    return message("WinningsPaid", event_of("WinningsPaid", amount=amount, **changes))


def take(store: Store, *values: bytes, topic: str = WALLET, at_once: bool = True) -> None:
    log = log_of_values((topic, 0, value) for value in values)
    if at_once:
        store.take(log)
        return
    for stop in range(1, len(values) + 1):
        store.take({topic: log[topic][stop - 1 : stop]})


def reasons(store: Store) -> list[str]:
    return [str(row[0]) for row in store.connection.execute("SELECT reason FROM streams_deadletter ORDER BY id")]


@pytest.fixture(params=[True, False], ids=["in one batch", "in two batches"])
def at_once(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_winnings_under_the_id_of_a_stake_are_no_repeat(store: Store, at_once: bool) -> None:
    same = event_of("StakeTaken")["event_id"]

    take(store, taken(event_id=same), paid(event_id=same), at_once=at_once)

    assert store.count("wallet_transaction") == 1
    assert store.count("streams_repeat") == 0
    assert [reason.startswith(CLASH) for reason in reasons(store)] == [True]


def test_another_amount_under_the_same_id_is_no_repeat(store: Store, at_once: bool) -> None:
    take(store, taken(1_000), taken(2_000), at_once=at_once)

    assert [row[0] for row in store.connection.execute("SELECT amount FROM wallet_transaction")] == [1_000]
    assert store.count("streams_repeat") == 0
    assert [reason.startswith(CLASH) for reason in reasons(store)] == [True]


def test_the_same_event_is_a_repeat_whatever_id_its_schema_has_by_then(store: Store, at_once: bool) -> None:
    store.writers.added[7_001] = Writer("StakeTaken", schema("StakeTaken"))
    again = frame(7_001, encode("StakeTaken", event_of("StakeTaken")))

    take(store, taken(event_of("StakeTaken")["amount"]), again, at_once=at_once)

    assert store.count("wallet_transaction") == 1
    assert store.count("streams_repeat") == 1
    assert not reasons(store)


def test_a_third_message_is_held_against_the_first(store: Store, at_once: bool) -> None:
    take(store, taken(1_000), taken(2_000), taken(1_000), taken(2_000), at_once=at_once)

    assert store.count("wallet_transaction") == 1
    assert store.count("streams_repeat") == 1
    assert len(reasons(store)) == 2


def test_records_without_a_table_of_facts_clash_as_well(store: Store, at_once: bool) -> None:
    first = event_of("PlayerVerified")
    other = first | {"verification": "rejected" if first["verification"] != "rejected" else "verified"}
    values = [message("PlayerVerified", event) for event in (first, other, first)]

    take(store, *values, topic="player-events", at_once=at_once)

    assert store.count("streams_event") == 1
    assert store.count("streams_repeat") == 1
    assert len(reasons(store)) == 1


def without_digests(store: Store, table: str) -> None:
    """As rows are that were stored before there were digests."""
    with store.connection.transaction():
        store.connection.execute("SET LOCAL session_replication_role = replica")
        store.connection.execute(f"UPDATE {table} SET digest = NULL")


def take_after(store: Store, table: str, topic: str, first: bytes, second: bytes) -> None:
    log = log_of_values([(topic, 0, first), (topic, 0, second)])
    store.take({topic: log[topic][:1]})
    without_digests(store, table)
    store.take({topic: log[topic][1:]})


def test_a_row_from_before_there_were_digests_is_known_by_what_it_says(store: Store) -> None:
    take_after(store, "wallet_transaction", WALLET, taken(), taken())

    assert store.count("streams_repeat") == 1
    assert not reasons(store)


@pytest.mark.parametrize("other", [paid, lambda **same: taken(2_000, **same), lambda **same: taken(brand="x", **same)])
def test_another_event_under_the_id_of_a_row_without_a_digest_is_no_repeat(
    store: Store, other: Callable[..., bytes]
) -> None:
    same = event_of("StakeTaken")["event_id"]
    take_after(store, "wallet_transaction", WALLET, taken(event_id=same), other(event_id=same))

    assert store.connection.execute("SELECT record, amount FROM wallet_transaction").fetchall() == [
        ("StakeTaken", 1_000)
    ]
    assert store.count("streams_repeat") == 0
    assert [reason.startswith(CLASH) for reason in reasons(store)] == [True]
    assert store.count("streams_outbox") == 2, "the letter's copy and an alert"


def test_another_record_under_an_id_without_a_digest_clashes_in_the_log_of_events_too(store: Store) -> None:
    verified = event_of("PlayerVerified")
    registered = event_of("PlayerRegistered", event_id=verified["event_id"], occurred_at=verified["occurred_at"])
    take_after(store, "streams_event", "player-events", message("PlayerVerified", verified),
               message("PlayerRegistered", registered))  # fmt: skip

    assert store.connection.execute("SELECT record FROM streams_event").fetchall() == [("PlayerVerified",)]
    assert store.count("streams_repeat") == 0
    assert len(reasons(store)) == 1


def test_facts_of_several_records_without_digests_are_held_against_their_own_columns(store: Store) -> None:
    values = [message(record, event_of(record)) for record in ("BetSettled", "BetVoided", "BetResettled")]
    log = log_of_values(("bet-events", 0, value) for value in [*values, *values])
    store.take({"bet-events": log["bet-events"][:3]})
    without_digests(store, "trading_settlement")

    store.take({"bet-events": log["bet-events"][3:]})

    assert (store.count("trading_settlement"), store.count("streams_repeat")) == (3, 3)
    assert not reasons(store)


def test_a_clash_raises_one_alert_for_its_batch(store: Store) -> None:
    take(store, taken(1_000), taken(2_000), taken(3_000))

    alerts = store.connection.execute("SELECT topic FROM streams_outbox WHERE topic NOT LIKE '%.dlq'").fetchall()
    assert alerts == [("compliance-alerts",)]
    named = store.connection.execute('SELECT "offset", alert_id FROM streams_deadletter ORDER BY id').fetchall()
    assert [(offset, alert_id is not None) for offset, alert_id in named] == [(1, True), (2, True)]
    assert len({alert_id for _, alert_id in named}) == 1


def test_a_digest_tells_bodies_and_records_apart() -> None:
    bodies = [b"\0\0\0\0\1same", b"\0\0\0\0\2same", b"\0\0\0\0\1other"]

    first, again, other = digests("StakeTaken", bodies).tolist()

    assert first == again
    assert other != first
    assert digests("WinningsPaid", bodies[:1]).tolist() != [first]
