"""What the engine writes in columns is, byte for byte, what the contract's codec writes, and keeps every rule."""

from datetime import UTC, datetime

import pytest

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.contracts.definitions import schema
from backoffice.contracts.rules import checked
from backoffice.simulator.durations import HOUR
from backoffice.simulator.operator.slices import Slice
from tests.simulator.operator.lives import SCHEMA_IDS, decoded, events, messages, slices, world

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def spans() -> list[Slice]:
    return list(slices(world(60, level=8.0), 6, 2 * HOUR))


def test_bytes_are_those_of_the_codec(spans: list[Slice]) -> None:
    sent = messages(iter(spans))

    told = [decoded(message) for message in sent]
    assert {event.record for event in told} > {"BetPlaced", "MarketUpdate", "RoundCompleted"}
    for message, event in zip(sent, told, strict=True):
        assert message.value == frame(SCHEMA_IDS[event.record], encode(event.record, event.body))
        assert message.topic == topic_of(event.record)
        assert message.key.decode() == event.body[TOPICS[message.topic].key]
    assert sorted(map(repr, told)) == sorted(map(repr, events(spans)))


def test_every_rule_of_the_contracts_is_kept(spans: list[Slice]) -> None:
    told = [(record, batch) for span in spans for record, batch, _, _ in span.batches()]
    assert {record for record, _ in told} > {"BetPlaced", "MarketUpdate", "RoundCompleted"}
    for record, batch in told:
        assert batch.num_rows
        assert checked(batch, schema(record), datetime(2026, 2, 1, tzinfo=UTC))[1] == {}, record


def test_messages_of_a_topic_come_in_the_order_of_time_and_no_id_twice(spans: list[Slice]) -> None:
    for span in spans:
        times: dict[str, int] = {}
        for event in map(decoded, messages(iter([span]))):
            assert event.body["occurred_at"] >= times.get(topic_of(event.record), 0)
            times[topic_of(event.record)] = event.body["occurred_at"]
    told = events(spans)
    assert len(told) > 1_000
    assert len({event.body["event_id"] for event in told}) == len(told)
