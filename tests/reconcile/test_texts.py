"""Texts of other people's choice, in every table that has such a text in its key: stored, compared, and made anew."""

from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import models

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.contracts.definitions import schema
from backoffice.kernel.clock import SystemClock
from backoffice.reconcile.runs.run import reconcile as run_once
from backoffice.simulator.events.envelope import Event
from backoffice.streams.kafka.clients import producer
from backoffice.streams.store.projection import STREAMS
from tests.reconcile.test_keys import differences
from tests.spine import Spine, produce
from tests.streams.arriving import event_of
from tests.trading.test_newest import offer, update

PRICES = "market-prices"
TEXTS = (
    "", " ", "a", "A", " a", "a ", "a\x1f", "\x1fa", "a\x1fb", "a/b", "a/b/c", "b/c", "/", "//", "|", "a|b",
    "a||b", "^@", "a^@b", "\\", "\\\\", "a\\|b", "\\x00", "%", "a%", "a_b", "a%2Fb", "'", '"', '"a"', "a,b",
    "{a,b}", "{}", "NULL", "null", "None", "\\None", "[1]", "a=b", "a, outcome_id=b", "\t", "a\nb", "\r\n",
    "\x01", "\x7f", "\x85", "\xa0", "ß", "SS", "é", "e\u0301", "É", "İ", "ı", "σ", "ς", "Ж", "ж", "العربية",
    "שלום", "中文", "日本", "한국어", "हिन्दी", "\u200b", "a\u200bb", "\ufeff", "\u2028", "\u202ea", "�",
    "\uffff", "🏇", "👨\u200d👩\u200d👧", "𝔸", "\U0010ffff", "é" * 32, "🏇" * 64, "x" * 64,
)  # fmt: skip
# In which column of its key a table has them.
FREE = {
    "trading_sportevent": "id", "trading_market": "id", "trading_outcome": "outcome_id", "trading_offer": "market_id",
    "trading_price": "outcome_id", "trading_statuschange": "market_id", "metrics_window": "key",
    "trading_feedrun": "subscription",
}  # fmt: skip
# The texts in their keys are names of ours: of topics and streams.
OURS = {"metrics_activity", "streams_event"}
# What somebody alters in a row of each table.
NUMBERS = {"trading_sportevent": "seen_offset", "metrics_window": "amount", "trading_feedrun": "began_offset"}


def keyed_by_text() -> set[str]:
    fields = {model._meta.db_table: {field.column: field for field in model._meta.concrete_fields}
              for model in apps.get_models()}  # fmt: skip
    return {
        projection.table
        for stream in STREAMS.values()
        for record in stream.records()
        for projection in stream.of(record)
        if any(isinstance(fields[projection.table][c], models.TextField | models.CharField) for c in projection.key)
    }


def send(spine: Spine, *events: Event) -> None:
    sender = producer(settings.KAFKA)
    for number, one in enumerate(events):
        value = frame(spine.registry.register(one.record), encode(one.record, one.body))
        topic = TOPICS[topic_of(one.record)]
        key = str(one.body[schema(one.record).get("message_key", topic.key)]).encode()
        partition = 0 if topic.compacted else number % 2
        produce(sender, f"{spine.prefix}{topic.name}", key, value, partition)
    assert sender.flush(60) == 0


def other(record: str, **changes: Any) -> Event:
    body: Mapping[str, Any] = event_of(record, event_id=str(uuid4()), **changes)
    return Event(record, "", dict(body))


def told() -> Iterator[Event]:
    """Each text as a market, a match, an outcome, a provider of payments, a brand of a login of one minute,
    and a subscription of a feed."""
    for number, text in enumerate(TEXTS):
        others = dict.fromkeys((TEXTS[number - 1], text, "b", "a/b", "b|c", "a\x1fb"))
        names = {"market_id": text, "sport_event_id": TEXTS[number - 2]}
        yield update(2, *others, **names)
        yield update(3, *others, status="suspended", **names)
        yield offer(2, *others, **names)
        yield other("DepositCompleted", provider=text, payment_id=str(uuid4()), amount=1 + number)
        yield other("DepositDeclined", provider=text, payment_id=str(uuid4()), amount=1 + number)
        yield other("LoginSucceeded", brand=text)
        yield other("SessionStarted", brand=text, session_id=str(uuid4()))
        yield other("FeedBegan", provider=TEXTS[number - 1], subscription=text)


def held(spine: Spine, table: str) -> list[tuple[Any, ...]]:
    return spine.rows(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1")


def test_every_table_with_a_text_in_its_key_is_known() -> None:
    assert keyed_by_text() == FREE.keys() | OURS
    assert len(set(TEXTS)) == len(TEXTS)


@pytest.fixture
def filled(spine: Spine) -> Spine:
    """Half of it was compared before the rest came; some offers were deleted."""
    events = list(told())
    send(spine, *events[: len(events) // 2])
    spine.drain()
    assert differences() == []
    send(spine, *events[len(events) // 2 :])
    for text in ("a", "a/b", "%", "\x1fa", "🏇", " a"):
        spine.send_bytes(PRICES, [None], key=text.encode(), partition=0)
    spine.drain()
    assert spine.rows("SELECT reason FROM streams_deadletter") == []
    return spine


def test_whatever_letters_a_key_has(filled: Spine) -> None:
    for table, column in FREE.items():
        found = {text for (text,) in filled.rows(f"SELECT {column} FROM {table}")}
        gone = {"a", "a/b", "%", "\x1fa", "🏇", " a"} if table == "trading_offer" else set()
        assert set(TEXTS) - found == gone, table
    assert differences() == []
    assert differences(full=True) == []

    before = {table: held(filled, table) for table in keyed_by_text()}
    for table in sorted(before.keys() - {"trading_statuschange"}):
        call_command("rebuild", table, stdout=StringIO())
    with pytest.raises(CommandError, match="triggers"):
        call_command("rebuild", "trading_statuschange", stdout=StringIO())
    assert {table: held(filled, table) for table in before} == before
    assert differences() == differences(full=True) == []


def test_a_row_is_named_whatever_letters_its_key_has(filled: Spine) -> None:
    for table, column in FREE.items():
        number = NUMBERS.get(table, "version_offset")
        query = f"UPDATE {table} SET {number} = {number} + 1 WHERE {column} = ANY(%s) RETURNING 1"
        assert filled.rows(query, ["a\x1f", "Ж"]), table

    found = run_once(full=True, clock=SystemClock(), anew=True).differences

    for text in ("a\x1f", "Ж"):
        told = [f"{one['says']} {one['where']}" for one in found if text in one["where"]]
        assert {table for table in FREE if any(table in line for line in told)} == FREE.keys()
