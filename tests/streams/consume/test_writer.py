"""A writer that is refused waits longer and longer, and lets go at once of what is no longer its own."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from confluent_kafka.admin import AdminClient

from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Retryable
from backoffice.streams import patience
from backoffice.streams.consume.batch import Batch
from backoffice.streams.consume.lane import Lane, Limits
from backoffice.streams.consume.sink import Refused
from backoffice.streams.consume.watching.state import LaneState
from backoffice.streams.consume.writer import Writer
from backoffice.streams.kafka import topicids
from tests.spine import until
from tests.streams.sinks import Given, Nowhere


class Refusing(Nowhere):
    """A sink that stores nothing, for a reason that passes or after which it is opened anew, which fails too."""

    def __init__(self, error: type[Retryable]) -> None:
        self.error = error
        self.tries = 0

    def open(self) -> None:
        self.tries += 1
        raise Retryable("away")

    def commit(self, _: Given) -> Iterator[Given]:
        self.tries += 1
        raise self.error("no room")
        yield


def writing(sink: Refusing, monkeypatch: pytest.MonkeyPatch) -> Writer[Given]:
    """A writer that has begun with a batch."""
    limits = Limits(1, 1, 1, 1, 1, 1, 1)
    writer = Writer(Lane("s", "bet-events", "", {}, limits, SystemClock()), sink, LaneState())
    writer.brake.topic_id = "t"
    monkeypatch.setattr(topicids, "answer", lambda _: "t")
    batch = Batch("bet-events")
    batch.add(partition=0, offset=7, key=b"k", value=b"v", start=7)
    asked = topicids.Asked(AdminClient({}), "bet-events", Future())
    writer.start()
    assert writer.offer(Given(batch), asked, 5)
    return writer


@pytest.fixture(params=[Refused, Retryable])
def refused(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer[Given]]:
    """A writer whose next try is ten minutes away."""
    monkeypatch.setattr(patience, "BACK_OFF_SECONDS", (0.01, 0.01, 600.0))
    sink = Refusing(request.param)
    writer = writing(sink, monkeypatch)
    until(lambda: sink.tries >= 3, "it waits as long as it ever does")
    yield writer
    writer.end()
    writer.join(10, threading.Event())


def test_who_takes_its_partitions_away_does_not_wait(refused: Writer[Given]) -> None:
    began = time.monotonic()
    refused.forget(60)
    assert time.monotonic() - began < 30
    assert not refused.away.is_set()


def test_who_ends_it_does_not_wait(refused: Writer[Given]) -> None:
    began = time.monotonic()
    refused.end()
    refused.join(60, threading.Event())
    assert time.monotonic() - began < 30
    assert not refused.is_alive()


class Holding(Refusing):
    """A sink that takes its time to store."""

    def __init__(self) -> None:
        super().__init__(Retryable)
        self.begun, self.may = threading.Event(), threading.Event()

    def commit(self, prepared: Given) -> Iterator[Given]:
        self.begun.set()
        assert self.may.wait(30)
        yield prepared


@pytest.mark.parametrize("is_stopping", [False, True])
def test_a_lane_begins_anew_when_its_former_writer_has_ended(
    monkeypatch: pytest.MonkeyPatch, *, is_stopping: bool
) -> None:
    """Both would store over the one connection of their sink; of a worker that stops nothing begins anew."""
    sink, stopping = Holding(), threading.Event()
    writer = writing(sink, monkeypatch)
    assert sink.begun.wait(10)
    writer.end()
    waiting = threading.Thread(target=writer.join, args=(0.1, stopping))
    waiting.start()

    waiting.join(0.5)
    assert waiting.is_alive()
    assert writer.is_alive()
    (stopping if is_stopping else sink.may).set()
    waiting.join(10)

    assert not waiting.is_alive()
    assert writer.is_alive() == is_stopping
    sink.may.set()
    writer.join(10, threading.Event())
