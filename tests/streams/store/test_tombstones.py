"""A message without a value on a compacted topic deletes what its key names, in order with the others of the key."""

import random
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from backoffice.streams.store.projection import Stream
from tests.streams.arriving import event_of, message
from tests.streams.stored import Logged, Store

TOPIC = "market-prices"
TABLES = ("trading_offer", "trading_price")
GONE = None
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


@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe"])
def test_a_tombstone_without_a_key_is_a_dead_letter_and_no_more(store: Store, key: bytes | None) -> None:
    store.take(logged([priced("m", 1), (key, None), priced("n", 1)]))

    assert markets(store)["trading_offer"] == {"m", "n"}
    (reason,) = letters(store)
    assert "its key is no text" in reason


def test_a_message_without_a_value_is_dead_where_every_message_is_kept(store: Store) -> None:
    store.take({"bet-events": [Logged(0, 0, None, b"player")]})

    assert len(letters(store)) == 1


def test_deleting_is_declared_of_compacted_topics_only() -> None:
    with pytest.raises(ValueError, match="bet-events keeps every message"):
        Stream.deletes(Stream.__new__(Stream), "bet-events", by="id", tables=("trading_bet",))
