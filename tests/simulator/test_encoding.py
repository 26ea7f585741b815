"""Every event against the contracts: what is decoded is what was meant, and no field breaks a rule of its schema."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.codec import decode, encode
from backoffice.contracts.columns import decode_bodies
from backoffice.contracts.definitions import schema, schema_text
from backoffice.contracts.rules import checked
from backoffice.kernel.clock import microseconds
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.generator import generate

START = datetime(2026, 1, 1, tzinfo=UTC)
RECORDS = sorted(record for topic in TOPICS.values() for record in topic.records)


@pytest.fixture(scope="module")
def events() -> dict[str, list[Event]]:
    by_record: defaultdict[str, list[Event]] = defaultdict(list)
    for event in generate(5, START, 60_000, timedelta(milliseconds=5), players=500):
        by_record[event.record].append(event)
    return by_record


def plain(value: Any) -> Any:
    """Times as microseconds, dates as they are, what was left out as null."""
    return microseconds(value) if isinstance(value, datetime) else value


def filled(values: dict[str, Any], fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        field["name"]: [filled(item, field["type"]["items"]["fields"]) for item in values[field["name"]]]
        if isinstance(field["type"], dict) and field["type"]["type"] == "array"
        else plain(values.get(field["name"]))
        for field in fields
    }


@pytest.mark.parametrize("record", RECORDS)
def test_what_is_decoded_is_what_was_built(events: dict[str, list[Event]], record: str) -> None:
    definition = schema(record)
    assert events[record]
    for event in events[record][:300]:
        back = decode(encode(record, event.body), definition)
        assert filled(back, definition["fields"]) == filled(event.body, definition["fields"])


@pytest.mark.parametrize("record", RECORDS)
def test_every_event_passes_the_rules_of_its_fields(events: dict[str, list[Event]], record: str) -> None:
    batch = decode_bodies([encode(record, event.body) for event in events[record]], schema_text(record))

    _, faults = checked(batch, schema(record), START + timedelta(days=1))

    assert batch.num_rows == len(events[record]) > 0
    assert faults == {}


def test_personal_data_is_invented_and_consistent(events: dict[str, list[Event]]) -> None:
    assert events["PlayerRegistered"]
    assert events["LoginSucceeded"]
    for event in events["PlayerRegistered"]:
        born: date = event.body["birth_date"]
        first, last = map(int, event.body["birth_year_band"].split("-"))
        assert first <= born.year <= last == first + 4
        assert born.replace(year=born.year + 18, day=min(born.day, 28)) < START.date()
        assert event.body["email"].rpartition("@")[2].startswith("example.")
    networks = ("192.0.2.", "198.51.100.", "203.0.113.", "10.")
    assert all(event.body["ip"].startswith(networks) for event in events["LoginSucceeded"])


def test_the_operator_is_a_varied_one(events: dict[str, list[Event]]) -> None:
    def distinct(record: str, field: str) -> int:
        return len({event.body[field] for event in events[record]})

    assert distinct("PlayerRegistered", "brand") >= 4
    assert distinct("PlayerRegistered", "jurisdiction") >= 3
    assert distinct("PlayerRegistered", "currency") >= 5
    assert distinct("PlayerRegistered", "country") >= 8
    assert distinct("BetPlaced", "channel") >= 3
    assert distinct("BetPlaced", "kind") == 3
    assert distinct("BetPlaced", "is_free_bet") == 2
    assert distinct("RoundCompleted", "provider") >= 3
    assert distinct("RoundCompleted", "vertical") == 3
    assert distinct("DepositInitiated", "method") == 4
    assert distinct("DepositInitiated", "provider") >= 4
    assert distinct("BonusGranted", "kind") == 3
    assert distinct("MarketUpdate", "sport") >= 4
    assert distinct("MarketUpdate", "status") == 5
    assert distinct("LimitChanged", "kind") == 4
    assert distinct("BetVoided", "was_settled") == 2
    results = {leg["result"] for event in events["BetSettled"] for leg in event.body["legs"]}
    assert results == {"won", "lost", "void", "undecided"}
    factors = {leg["void_factor"] for event in events["BetSettled"] for leg in event.body["legs"]}
    assert factors == {0, 500, 1_000}
    names = ("dead_heat_factor", "dead_heat_places", "dead_heat_tied")
    dead_heats = {tuple(leg[name] for name in names) for event in events["BetSettled"] for leg in event.body["legs"]}
    assert dead_heats == {(1_000, None, None), (500, 1, 2), (333, 1, 3)}
