"""A message without a value on a compacted topic deletes what its key names, in order with the others of the key."""

import random
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.db.models import Q

from backoffice.kernel.actor import Actor
from backoffice.streams.deadletters.handling import replay
from backoffice.streams.models import DeadLetter, Tombstone, TombstoneRetention
from backoffice.streams.store.projection import Stream
from backoffice.streams.tasks import purge_told
from tests.streams.arriving import NOW, event_of, message
from tests.streams.stored import Logged, Store

TOPIC = "market-prices"
TABLES = ("trading_offer", "trading_price")
GONE = None
BEGIN_MS = int(NOW.timestamp() * 1_000)
_IDS = count(1)


def priced(market: str, version: int) -> tuple[str, bytes]:
    event = event_of("MarketPrice", event_id=str(UUID(int=next(_IDS))), market_id=market, version=version)
    return market, message("MarketPrice", event)


def gone(market: str) -> tuple[str, None]:
    return market, GONE


def logged(messages: list[tuple[str | bytes | None, bytes | None]], partition: int = 0) -> dict[str, list[Logged]]:
    return {
        TOPIC: [
            Logged(partition, offset, value, key.encode() if isinstance(key, str) else key)
            for offset, (key, value) in enumerate(messages)
        ]
    }


def markets(store: Store) -> dict[str, set[str]]:
    return {
        table: {str(market) for (market,) in store.connection.execute(f"SELECT market_id FROM {table}".encode())}
        for table in TABLES
    }


def letters(store: Store) -> list[str]:
    return [str(reason) for (reason,) in store.connection.execute("SELECT reason FROM streams_deadletter ORDER BY id")]


@pytest.mark.parametrize("seed", [None, 1, 2, 3, 4])
def test_the_last_word_on_a_key_counts_however_the_log_is_cut(store: Store, seed: int | None) -> None:
    sent: list[Any] = [
        priced("closed", 1), priced("stays", 1), gone("closed"), priced("again", 1), gone("again"), priced("again", 2),
        gone("unheard of"), priced("closed", 2), gone("closed"), priced("twice", 1), gone("twice"), gone("twice"),
    ]  # fmt: skip

    store.take(logged(sent), None if seed is None else random.Random(seed))

    assert markets(store) == {table: {"stays", "again"} for table in TABLES}
    assert letters(store) == []
    assert store.connection.execute("SELECT next FROM streams_offset WHERE partition = 0").fetchone() == (len(sent),)


def test_what_comes_after_a_tombstone_is_new_whatever_its_version(store: Store) -> None:
    store.take(logged([priced("m", 9), gone("m"), priced("m", 1)]))

    assert store.connection.execute("SELECT version FROM trading_offer").fetchall() == [(1,)]
    assert set(store.connection.execute("SELECT version FROM trading_price").fetchall()) == {(1,)}


def take(store: Store, *messages: Logged, one_by_one: bool) -> None:
    for part in [[one] for one in messages] if one_by_one else [messages]:
        store.take({TOPIC: list(part)})


def said(version: int, at: int, partition: int = 0, offset: int | None = None, stood: int | None = None) -> Logged:
    """A price of the one market, or its tombstone (version 0), logged at a second."""
    value = priced("m", version)[1] if version else GONE
    place = None if stood is None else (BEGIN_MS + 1_000 * stood, stood)
    return Logged(partition, at if offset is None else offset, value, b"m", BEGIN_MS + 1_000 * at, place)


@pytest.mark.parametrize("one_by_one", [True, False])
def test_a_dead_letter_of_before_a_tombstone_brings_nothing_back(store: Store, one_by_one: bool) -> None:
    store.take({TOPIC: [Logged(0, 0, b"junk", b"m", 0)]})

    take(store, said(2, 1), said(0, 2), said(1, 9, offset=3, stood=0), one_by_one=one_by_one)

    assert markets(store) == {table: set() for table in TABLES}
    take(store, said(1, 10, offset=4), one_by_one=one_by_one)
    assert markets(store) == {table: {"m"} for table in TABLES}


@pytest.mark.parametrize("one_by_one", [True, False])
def test_a_tombstone_is_later_whichever_partition_is_read_first(store: Store, one_by_one: bool) -> None:
    take(store, said(0, 5, partition=1, offset=0), said(1, 3, offset=0), one_by_one=one_by_one)

    assert markets(store) == {table: set() for table in TABLES}


@pytest.mark.parametrize("one_by_one", [True, False])
def test_what_stands_after_a_tombstone_stays_where_that_is_read_later(store: Store, one_by_one: bool) -> None:
    take(store, said(1, 7, offset=0), said(0, 5, partition=1, offset=0), one_by_one=one_by_one)

    assert markets(store) == {table: {"m"} for table in TABLES}


def test_of_what_is_read_together_a_tombstone_of_before_takes_back_no_more_than_it_may(store: Store) -> None:
    """The greater version is the one that is gone."""
    store.take({TOPIC: [said(0, 5, offset=0)]})

    store.take({TOPIC: [said(9, 8, offset=1, stood=3), said(1, 9, offset=2)]})

    assert store.connection.execute("SELECT version FROM trading_offer").fetchall() == [(1,)]


def test_tombstones_are_forgotten_after_all_that_could_come_from_before_them(store: Store) -> None:
    store.take({TOPIC: [said(0, 5, offset=0)]})
    kept = TombstoneRetention.objects.get()
    told = Tombstone.objects.get().told_at

    assert purge_told(told + kept.replayable_for + kept.shown_for) == 0
    assert purge_told(told + kept.replayable_for + kept.shown_for + timedelta(seconds=1)) == 1


def test_a_dead_letter_from_before_what_is_known_of_deletions_is_refused(store: Store) -> None:
    store.take({TOPIC: [Logged(0, 0, b"junk", b"m", 1_000)]})
    letter = DeadLetter.objects.get()

    (outcome,) = replay(Q(pk=letter.pk), actor=Actor("ana", "operator"), reason="late", now=NOW)

    (why,) = outcome.passed_over
    assert "logged on 1970-01-01; of market-prices dead letters can be sent again for 90" in why
    assert outcome.done == []
    assert DeadLetter.objects.get().state == "open"


@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe"])
def test_a_tombstone_without_a_key_is_a_dead_letter_and_no_more(store: Store, key: bytes | None) -> None:
    store.take(logged([priced("m", 1), (key, None), priced("n", 1)]))

    assert markets(store)["trading_offer"] == {"m", "n"}
    (reason,) = letters(store)
    assert "its key is no text" in reason


@pytest.mark.parametrize("key", [None, b"", b"n", b"M", b"m "])
def test_an_event_under_another_key_than_its_topics_is_a_dead_letter(store: Store, key: bytes | None) -> None:
    """Nothing would ever take it back: a tombstone and compaction go by the key."""
    stray = Logged(0, 1, priced("m", 1)[1], key)
    store.take({TOPIC: [Logged(0, 0, priced("a", 1)[1], b"a"), stray, Logged(0, 2, priced("b", 1)[1], b"b")]})

    assert markets(store) == {table: {"a", "b"} for table in TABLES}
    (reason,) = letters(store)
    assert "The key of the message is not its market_id" in reason


def test_where_every_message_is_kept_a_key_decides_nothing(store: Store) -> None:
    store.take({"bet-events": [Logged(0, 0, message("BetPlaced", event_of("BetPlaced")), b"another")]})

    assert letters(store) == []


def test_a_message_without_a_value_is_dead_where_every_message_is_kept(store: Store) -> None:
    store.take({"bet-events": [Logged(0, 0, None, b"player")]})

    assert len(letters(store)) == 1


def test_deleting_is_declared_of_compacted_topics_only() -> None:
    with pytest.raises(ValueError, match="bet-events keeps every message"):
        Stream.deletes(Stream.__new__(Stream), "bet-events", by="id", tables=("trading_bet",), standing=("a", "b"))
