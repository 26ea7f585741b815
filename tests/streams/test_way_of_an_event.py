"""Events of every kind from Kafka into the tables, once."""

from datetime import UTC, datetime, timedelta

from backoffice.simulator.generator import generate
from tests.spine import Spine

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_every_event_is_stored_once_whatever_its_kind(spine: Spine) -> None:
    events = list(generate(seed=7, start=START, events=4_000, step=timedelta(milliseconds=20), players=50))
    spine.send(events)

    spine.drain()

    stored = spine.value("SELECT sum(count) FROM metrics_window WHERE metric = 'events'")
    assert stored == sum(event.record != "MarketPrice" for event in events)
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 0
