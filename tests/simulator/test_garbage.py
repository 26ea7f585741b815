"""Each kind of bad message is really bad, in the way it says, and would be good without its fault."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.contracts.codec import decode, encode, frame, unframe
from backoffice.contracts.columns import decode_bodies
from backoffice.contracts.definitions import schema, schema_text
from backoffice.contracts.rules import checked
from backoffice.kernel.errors import Poison
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.garbage import KINDS, Garbage, bad_message, mixed
from backoffice.simulator.generator import generate
from backoffice.simulator.producing import message_of

RECORDS = sorted(record for topic in TOPICS.values() for record in topic.records)
IDS = {record: number for number, record in enumerate(RECORDS, 1)}
RECORD_OF = {number: record for record, number in IDS.items()}
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=1)
PLAYER = "0193a5c2-7b1e-7000-8000-000000000001"

COMPLAINTS = {
    "unknown_schema_id": "unknown schema id",
    "not_framed": "is not framed",
    "empty_value": "has no value",
    "truncated": "cut short",
    "invalid_utf8": "not valid UTF-8",
    "nul_in_text": "holds a NUL character",
    "wrong_topic": "is not for bet-events",
    "negative_stake": "must be at least 1 (BetPlaced.stake)",
    "unknown_currency": "no ISO 4217 currency code",
    "amount_beyond_limit": "must be at most 1000000000000",
    "occurred_in_1900": "is before 2000-01-01",
    "occurred_in_2200": "lies in the future",
    "id_is_no_uuid": "is no UUID",
}

REPAIRS: dict[str, dict[str, Any]] = {
    "nul_in_text": {"outcome": "answered"},
    "negative_stake": {"stake": 500},
    "unknown_currency": {"currency": "EUR"},
    "amount_beyond_limit": {"amount": 500},
    "occurred_in_1900": {"occurred_at": START},
    "occurred_in_2200": {"occurred_at": START},
    "id_is_no_uuid": {"payment_id": PLAYER},
}


def complaint(topic: str, value: bytes) -> str:
    """What is wrong with a message, by the contracts alone; empty when nothing is."""
    try:
        schema_id, body = unframe(value)
        if schema_id not in RECORD_OF:
            return f"unknown schema id {schema_id}"
        record = RECORD_OF[schema_id]
        if topic_of(record) != topic:
            return f"a {record} is not for {topic}"
        _, faults = checked(decode_bodies([body], schema_text(record)), schema(record), NOW)
    except Poison as reason:
        return str(reason)
    return "; ".join(faults.values())


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_bad_for_its_own_reason(kind: str) -> None:
    for seed in range(40):
        bad = bad_message(kind, random.Random(seed), IDS, key=PLAYER, at=START)

        assert (bad.kind, bad.key) == (kind, PLAYER)
        assert COMPLAINTS[kind] in complaint(bad.topic, bad.value)


@pytest.mark.parametrize("kind", REPAIRS)
def test_nothing_else_is_wrong(kind: str) -> None:
    bad = bad_message(kind, random.Random(1), IDS, key=PLAYER, at=START)
    schema_id, body = unframe(bad.value)
    record = RECORD_OF[schema_id]

    repaired = decode(body, schema(record)) | REPAIRS[kind]

    assert complaint(bad.topic, frame(schema_id, encode(record, repaired))) == ""


def test_two_amounts_beyond_the_limit_overflow_64_bits() -> None:
    rng = random.Random(1)
    values = [bad_message("amount_beyond_limit", rng, IDS).value for _ in range(2)]
    amounts = [decode(unframe(value)[1], schema("DepositCompleted"))["amount"] for value in values]

    assert all(amount < 2**63 for amount in amounts)
    assert sum(amounts) >= 2**63


def test_good_events_are_good_by_the_same_measure() -> None:
    for event in generate(3, START, 3_000, timedelta(milliseconds=5), players=100):
        topic, _, value = message_of(event, IDS)
        assert complaint(topic, value) == ""


def test_a_share_of_the_messages_is_bad_and_the_kinds_take_turns() -> None:
    events = list(generate(3, START, 20_000, timedelta(milliseconds=5), players=100))
    messages = list(mixed(events, 0.1, 7, IDS))
    bad = [message for message in messages if isinstance(message, Garbage)]
    kinds = [message.kind for message in bad]

    assert [message for message in messages if isinstance(message, Event)] == events
    assert len(bad) / len(messages) == pytest.approx(0.1, abs=0.01)
    assert set(kinds[: len(KINDS)]) == set(KINDS)
    assert max(Counter(kinds).values()) - min(Counter(kinds).values()) <= 1
    assert {message.key for message in bad[20:]} <= {event.key for event in events}


def test_the_same_seed_gives_the_same_bad_messages() -> None:
    def sent(seed: int) -> list[Event | Garbage]:
        return list(mixed(generate(3, START, 2_000, timedelta(milliseconds=5)), 0.05, seed, IDS))

    assert sent(7) == sent(7) != sent(8)


def test_without_a_share_nothing_is_bad() -> None:
    events = list(generate(3, START, 500, timedelta(milliseconds=5)))
    assert list(mixed(events, 0.0, 7, IDS)) == events


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        next(mixed([], share, 7, IDS))
