"""A compacted topic forgets: what compaction took is no difference, and a tombstone deletes the rows of its key."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import pytest
from django.conf import settings
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from backoffice.contracts.registry import Registry
from backoffice.kernel.ids import uuid7
from backoffice.reconcile.books import BY_THE_CLOCK
from backoffice.reconcile.checker import Checker
from backoffice.reconcile.checks.letters import Twins
from backoffice.reconcile.findings import Findings
from backoffice.reconcile.messages.log import Chunk, Log, Slice
from backoffice.reconcile.messages.reading import Readers
from backoffice.reconcile.runs.transactions import Pulse
from backoffice.streams.database import connect
from backoffice.streams.store.projection import STREAMS
from tests.reconcile.conftest import RECONCILES
from tests.streams.arriving import NOW, event_of, message
from tests.streams.stored import Logged, Store

PRICES, MARKET = "market-prices", "m1"
RNG = random.Random(4)
Messages = dict[int, tuple[bytes | None, bytes | None]]


@pytest.fixture
def store(house: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Store]:
    with django_db_blocker.unblock(), connect() as direct:
        store = Store(direct)
        store.empty()
        for table in RECONCILES:
            direct.execute(f"DELETE FROM {table}".encode())
        yield store


def price(version: int, market_id: str = MARKET) -> bytes:
    prices = [{"outcome_id": outcome, "odds": 1_500 + version, "probability_ppm": 1} for outcome in ("home", "away")]
    changes: dict[str, Any] = {
        "event_id": str(uuid7(RNG, NOW)),
        "market_id": market_id,
        "version": version,
        "prices": prices,
    }
    event = event_of("MarketPrice", **changes)
    return message("MarketPrice", event)


def at(*values: bytes | None, market_id: str = MARKET) -> Messages:
    return {offset: (market_id.encode(), value) for offset, value in enumerate(values)}


def stored(store: Store, messages: Messages, *offsets: int) -> None:
    """Those of the messages (or all) as the streams store them."""
    store.forget_offsets()
    store.take({PRICES: [Logged(0, offset, messages[offset][1]) for offset in offsets or messages]})


def compared(store: Store, messages: Messages, end: int, *, start: int = 0, is_new: bool = True) -> list[str]:
    """What is told of these messages of one partition, as far as up to ``end`` is stored."""
    findings = Findings()
    with transaction.atomic(), connection.cursor() as cursor:
        place = Slice(STREAMS["trading"], PRICES, 0, start, end, is_new=is_new)
        readers, twins = Readers(cast(Registry, store.writers)), Twins(Log(settings.KAFKA, "", Pulse()))
        checker = Checker(cursor, readers, findings, NOW, BY_THE_CLOCK, Counter(), twins, {}, is_new)
        part = {offset: message for offset, message in messages.items() if start <= offset < end}
        standings, times = {offset: (0, offset) for offset in part}, dict.fromkeys(part, 0)
        checker.examine(Chunk(place, start, end, part, standings, set(part), times, times))
        checker.finish()
    return [f"{difference.check}: {difference.says}" for difference in findings.listed]


def test_what_compaction_took_is_no_difference(store: Store) -> None:
    """Of the key only the newest is left; a dead letter's message is gone as well."""
    messages = at(price(1), b"junk", price(2))
    stored(store, messages)
    assert compared(store, messages | {1: (b"k", b"junk")}, 3) == []

    assert compared(store, {2: messages[2]}, 3, is_new=False) == []


def test_another_message_in_the_place_of_a_dead_letter_is_told(store: Store) -> None:
    stored(store, at(b"junk", price(1)))

    told = compared(store, at(b"jank"), 1)

    assert told == ["dead_letters: The dead letter holds another message than Kafka has at its offset."]


def test_a_tombstone_deletes_the_rows_of_its_key(store: Store) -> None:
    first, other = price(1), price(1, "m10")
    messages: Messages = {0: (b"m1", first), 1: (b"m10", other), 2: (b"m1", None)}
    stored(store, messages, 0, 1)
    assert compared(store, messages, 2) == []

    told = compared(store, messages, 3, start=2)

    assert {line.split(":")[0] for line in told} == {"state"}
    assert all("a tombstone deleted this row" in line for line in told)
    for table in ("trading_offer", "trading_price"):
        store.connection.execute(f"DELETE FROM {table} WHERE market_id = 'm1'".encode())
    assert compared(store, messages, 3, is_new=False) == []
    # Nobody has deleted the other one.
    store.connection.execute(b"DELETE FROM trading_offer WHERE market_id = 'm10'")
    assert len(compared(store, messages, 3, is_new=False)) == 1


def test_what_comes_after_a_tombstone_stands_whatever_its_version(store: Store) -> None:
    messages = at(price(9), None, price(1))
    stored(store, messages, 2)

    assert compared(store, messages, 3) == []
    assert compared(store, messages, 3, is_new=False) == []


def test_a_tombstone_in_a_topic_that_keeps_all_is_a_bad_message(store: Store) -> None:
    findings = Findings()
    with transaction.atomic(), connection.cursor() as cursor:
        place = Slice(STREAMS["trading"], "bet-events", 0, 0, 1, is_new=True)
        readers, twins = Readers(cast(Registry, store.writers)), Twins(Log(settings.KAFKA, "", Pulse()))
        checker = Checker(cursor, readers, findings, NOW, BY_THE_CLOCK, Counter(), twins, {}, is_new=True)
        checker.examine(Chunk(place, 0, 1, {0: (b"k", None)}))

    assert [difference.check for difference in findings.listed] == ["messages"]
