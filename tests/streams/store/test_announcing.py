"""What was committed is told to listeners, and nothing that they do touches the streams."""

import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from backoffice.streams import telemetry
from backoffice.streams.store import announcing
from backoffice.streams.store.announcing import Events, after_commit, announce
from tests.spine import until

EVENTS = {"BetPlaced": pa.table({"stake": [1, 2]})}


@pytest.fixture(autouse=True)
def no_other_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "_LISTENERS", [])


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds a listener up until it is opened."""
    gate = threading.Event()
    yield gate
    gate.set()


def unannounced() -> float:
    return sum(sample.value for metric in telemetry.UNANNOUNCED.collect() for sample in metric.samples[:1])


def test_a_listener_that_fails_keeps_nothing_from_the_others_or_from_the_next_batch() -> None:
    heard: list[Events] = []

    @after_commit
    def fails(_: Events) -> None:
        raise RuntimeError("broken")

    after_commit(heard.append)
    before = unannounced()
    announce(EVENTS)
    announce(EVENTS)

    until(lambda: len(heard) == 2, "both batches are heard")
    assert heard[0] is EVENTS
    assert unannounced() == before + 2


def test_a_listener_that_hangs_holds_nobody_up(gate: threading.Event) -> None:
    heard: list[Events] = []

    @after_commit
    def hangs(events: Events) -> None:
        assert gate.wait(60)
        heard.append(events)

    before = unannounced()
    for _ in range(100):
        announce(EVENTS)

    assert unannounced() >= before + 100 - announcing.ROOM - 1
    gate.set()
    until(lambda: len(heard) == before + 100 - unannounced(), "what was not dropped is heard")


def test_a_batch_without_events_is_not_told() -> None:
    heard: list[Events] = []
    after_commit(heard.append)

    announce({})
    announce(EVENTS)

    until(lambda: heard, "the batch is heard")
    assert heard == [EVENTS]
