"""However a log is cut into batches, repeated or disordered, the tables are the same."""

import random
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.examples import MOMENT
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.generator import generate
from backoffice.streams.store.projection import STREAMS
from tests.feedruns import with_runs
from tests.streams.arriving import RECORDS, event_of
from tests.streams.stored import TABLES, Log, Store, log_of

START = MOMENT - timedelta(hours=2)
# Of these no row is kept for each event: a repeat is known by its version, and counted as a message like any other.
UNLOGGED = {record for stream in STREAMS.values() for record in stream.unlogged}
STATE_OF_MARKETS = ("trading_market", "trading_outcome", "trading_sportevent", "trading_offer", "trading_price")


def events(count: int, seed: int) -> list[Event]:
    made = generate(seed=seed, start=START, events=None, step=timedelta(milliseconds=900), players=30)
    return list(islice(with_runs(made), count))


# What tells where in the log a message stood; it is all that may differ where keys come in another order.
PLACES = (
    "source_offset",
    *(f"{name}_offset" for name in ("status", "verification", "registered", "whose")),
    *(f"{name}_offset" for name in ("started", "ended", "granted", "seen", "version", "began")),
)


def interleaved(sent: list[Event], seed: int) -> list[Event]:
    """The events in another order, but those of one key in the order in which they were."""
    keys = [(topic_of(event.record), event.key) for event in sent]
    of_key = {key: iter([event for event, own in zip(sent, keys, strict=True) if own == key]) for key in set(keys)}
    return [next(of_key[key]) for key in random.Random(seed).sample(keys, len(keys))]


@pytest.mark.parametrize("seed", [1, 2])
def test_one_batch_and_many_give_the_same_tables(store: Store, seed: int) -> None:
    log = log_of(events(4_000, seed))
    store.take(log)
    at_once = store.contents()
    store.empty()

    store.take(log, random.Random(seed))

    assert store.contents() == at_once
    assert [table for table in TABLES if not at_once[table]] == []
    assert store.count("streams_repeat") == store.count("streams_deadletter") == 0


def test_what_is_read_again_changes_nothing(store: Store) -> None:
    sent = [event for event in events(1_800, seed=3) if event.record not in UNLOGGED]
    log = log_of(sent)
    store.take(log)
    before = store.contents()
    store.forget_offsets()

    store.take(log, random.Random(3))

    assert store.contents() == before
    assert store.count("streams_repeat") == len(sent)


def test_a_stream_that_died_in_between_goes_on_over_what_is_there(store: Store) -> None:
    """The first half is stored, the offsets are lost, and all is read again in other batches."""
    sent = [event for event in events(1_500, seed=4) if event.record not in UNLOGGED]
    whole = log_of(sent)
    store.take(whole)
    expected = store.contents()
    store.empty()
    store.take(_first_half(whole), random.Random(1))
    store.forget_offsets()

    store.take(whole, random.Random(2))

    assert store.contents() == expected


def test_versions_of_a_market_that_are_read_again_change_nothing(store: Store) -> None:
    log = log_of(event for event in events(1_200, seed=5) if event.record in UNLOGGED)
    store.take(log)
    before = store.contents(*STATE_OF_MARKETS)
    store.forget_offsets()

    store.take(log, random.Random(5))

    assert store.contents(*STATE_OF_MARKETS) == before
    assert all(before.values())


@pytest.mark.parametrize("seed", [6])
def test_which_key_comes_first_changes_nothing(store: Store, seed: int) -> None:
    """Not the states, of which the last of its key counts; and not the sums, of which every one counts."""
    sent = events(1_800, seed)
    store.take(log_of(sent))
    in_order = store.contents(without=PLACES)
    store.empty()

    store.take(log_of(interleaved(sent, seed)), random.Random(seed))

    assert store.contents(without=PLACES) == in_order


def test_the_ends_of_sessions_and_bonuses_may_come_before_their_beginnings(store: Store) -> None:
    """Also where the two tell different things."""
    begun: list[tuple[str, dict[str, Any]]] = [
        ("SessionStarted", {"ip": "192.0.2.1"}),
        ("BonusGranted", {"amount": 500}),
    ]
    ended: list[tuple[str, dict[str, Any]]] = [("SessionEnded", {"ip": "192.0.2.2"}), ("BonusExpired", {"amount": 20})]
    ids = {name: event_of("SessionStarted")["event_id"] for name in ("session_id", "bonus_id", "player_id")}
    pair = [
        Event(record, "p", event_of(record) | {k: v for k, v in ids.items() if k in event_of(record)} | change)
        for record, change in (*begun, *ended)
    ]
    store.take(log_of(pair))
    in_order = store.contents("players_session", "players_bonus", without=PLACES)
    store.empty()

    store.take(log_of(reversed(pair)), random.Random(1))

    assert store.contents("players_session", "players_bonus", without=PLACES) == in_order
    assert [len(rows) for rows in in_order.values()] == [1, 1]


@pytest.mark.parametrize("size", [None, 1])
def test_every_record_of_the_catalogue_is_stored(store: Store, size: int | None) -> None:
    log = log_of(Event(record, "p", event_of(record)) for record in RECORDS)

    store.take(log, None if size is None else random.Random(0))

    facts = {stream.fact_of(record) for stream in STREAMS.values() for record in stream.records()}
    rows = {fact.table: store.count(fact.table) for fact in facts if fact is not None}
    assert sum(rows.values()) == len(RECORDS) - len(UNLOGGED)
    assert store.count("trading_market") == store.count("trading_offer") == 1
    assert store.count("streams_deadletter") == 0


def test_the_books_balance(store: Store) -> None:
    store.take(log_of(events(1_800, seed=8)), random.Random(8))

    unequal = store.connection.execute(
        "SELECT currency FROM wallet_balance b JOIN wallet_account a ON a.id = b.account_id"
        " GROUP BY currency HAVING sum(debits) <> sum(credits) OR sum(debits) = 0"
    ).fetchall()
    unlike = store.connection.execute(
        "SELECT account, sum(amount) FROM ("
        " SELECT debit_account AS account, amount FROM wallet_transfer"
        " UNION ALL SELECT credit_account, -amount FROM wallet_transfer"
        " UNION ALL SELECT account_id, credits - debits FROM wallet_balance"
        ") AS all_entries GROUP BY account HAVING sum(amount) <> 0"
    ).fetchall()

    assert (unequal, unlike) == ([], [])
    assert store.count("wallet_balance") > 0


def _first_half(log: Log) -> Log:
    return {topic: messages[: len(messages) // 2] for topic, messages in log.items()}
