"""The builders against the schemas: one for each record, its values named and typed as the fields are."""

import re
from collections.abc import Callable
from datetime import date
from types import ModuleType
from typing import Any, get_args, get_type_hints

import pytest

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.contracts.definitions import schema
from backoffice.simulator.events import bets, markets, operations, players, rounds, wallet
from backoffice.simulator.events.envelope import Event, Head

MODULES: dict[str, tuple[ModuleType, ...]] = {
    "player-events": (players,),
    "bet-events": (bets,),
    "wallet-transactions": (wallet,),
    "game-rounds": (rounds,),
    "odds-feed": (markets,),
    "market-prices": (markets,),
    "compliance-alerts": (operations,),
    "operator-actions": (operations,),
}
RECORDS = sorted(record for topic in TOPICS.values() for record in topic.records)
PYTHON = {"string": str, "int": int, "long": int, "boolean": bool, "date": date, "timestamp-micros": int}
HEAD: Head = {"event_id": "e", "occurred_at": 1, "brand": "b", "jurisdiction": "MT"}


def builder(record: str) -> Callable[..., Event]:
    name = re.sub(r"(?<!^)([A-Z])", r"_\1", record).lower()
    (found,) = (getattr(module, name) for module in MODULES[topic_of(record)] if hasattr(module, name))
    made: Callable[..., Event] = found
    return made


def values_of(record: str) -> Any:
    (typed,) = get_args(get_type_hints(builder(record))["values"])
    return typed


def check(typed: Any, fields: list[dict[str, Any]]) -> None:
    hints = get_type_hints(typed)
    assert set(hints) == {field["name"] for field in fields}
    for field in fields:
        name, avro, hint = field["name"], field["type"], hints[field["name"]]
        assert (name in typed.__optional_keys__) == isinstance(avro, list), name
        if isinstance(avro, list):
            assert hint == python_type(avro[1]) | None, name
        elif isinstance(avro, dict) and avro["type"] == "array":
            check(get_args(hint)[0], avro["items"]["fields"])
        else:
            assert hint is python_type(avro), name


def python_type(avro: Any) -> Any:
    return PYTHON[avro["logicalType"] if isinstance(avro, dict) else avro]


@pytest.mark.parametrize("record", RECORDS)
def test_a_builder_takes_exactly_the_fields_of_its_record(record: str) -> None:
    fields = schema(record)["fields"]

    assert list(get_type_hints(Head)) == [field["name"] for field in fields[:4]]
    check(values_of(record), fields[4:])


@pytest.mark.parametrize("record", RECORDS)
def test_a_builder_names_its_record_and_keys_it_as_the_topic_is_keyed(record: str) -> None:
    values = {name: f"the {name}" for name in get_type_hints(values_of(record))}

    made = builder(record)(HEAD, **values)

    key = schema(record).get("message_key", TOPICS[topic_of(record)].key)
    assert (made.record, made.key) == (record, f"the {key}")
    assert made.body == {**HEAD, **values}


def test_an_alert_about_no_player_is_keyed_by_the_brand() -> None:
    alert: operations.ComplianceAlert = {
        "alert_id": "a",
        "kind": "k",
        "severity": "low",
        "queue": "q",
        "status": "opened",
        "rule": "r",
        "rule_version": 1,
        "summary": "s",
        "evidence": "{}",
    }
    assert operations.compliance_alert(HEAD, **alert).key == "b"
