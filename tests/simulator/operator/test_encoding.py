"""What the engine writes in columns is, byte for byte, what the contract's codec writes, and keeps every rule."""

from datetime import UTC, datetime

import pytest

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.contracts.definitions import schema
from backoffice.contracts.rules import checked
from backoffice.simulator.operator.arrays import HOUR
from tests.simulator.operator.lives import SCHEMA_IDS, events, messages, slices, world


@pytest.fixture(scope="module")
def lived() -> tuple[list, list, list]:  # type: ignore[type-arg]
    spans = list(slices(world(level=8.0), 12, 2 * HOUR))
    sent = messages(iter(spans))
    return spans, sent, events(sent)


def test_bytes_are_those_of_the_codec(lived) -> None:  # type: ignore[no-untyped-def]
    _, sent, told = lived
    for message, event in zip(sent, told, strict=True):
        assert message.value == frame(SCHEMA_IDS[event.record], encode(event.record, event.body))
        assert message.topic == topic_of(event.record)
        assert message.key.decode() == event.body["player_id"]


def test_every_rule_of_the_contracts_is_kept(lived) -> None:  # type: ignore[no-untyped-def]
    spans, _, _ = lived
    for span in spans:
        for record, batch, _, _ in span.batches():
            assert checked(batch, schema(record), datetime(2026, 2, 1, tzinfo=UTC))[1] == {}, record


def test_messages_of_a_topic_come_in_the_order_of_time_and_no_id_twice(lived) -> None:  # type: ignore[no-untyped-def]
    spans, _, told = lived
    for span in spans:
        times: dict[str, int] = {}
        for event in events(messages(iter([span]))):
            topic = topic_of(event.record)
            assert event.body["occurred_at"] >= times.get(topic, 0)
            times[topic] = event.body["occurred_at"]
    assert len({event.body["event_id"] for event in told}) == len(told)
