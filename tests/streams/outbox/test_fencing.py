"""Of two relays the older one sends nothing more of what it has queued, whether it knows of the newer one or not."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer
from django.db import transaction

from backoffice.kernel.errors import Retryable
from backoffice.streams.kafka.clients import PRODUCER
from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.emitting import emit, emit_tombstone
from tests.spine import Spine, until
from tests.streams.arriving import event_of
from tests.streams.outbox.relaying import LIMITS, relaying
from tests.streams.outbox.test_relay import SECOND, delete, make, states, write

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRICES = "market-prices"
LONG_MS = "20000"


class SlowProducer(Producer):
    """Stops where it is to do ``step`` until it is told to go on."""

    def __init__(self, settings: dict[str, Any], step: str) -> None:
        super().__init__(PRODUCER | settings)
        self._step = step
        self.is_there, self.may_go_on = threading.Event(), threading.Event()

    def flush(self, timeout: float = -1) -> int:
        self._reach("flush")
        return super().flush(timeout)

    def commit_transaction(self, timeout: float = -1) -> None:
        self._reach("commit")
        super().commit_transaction(timeout)

    def _reach(self, step: str) -> None:
        if step == self._step:
            self.is_there.set()
            assert self.may_go_on.wait(60)


class Older(threading.Thread):
    """A round of a relay that stops in the midst of a batch; ``raised`` is what it ended with."""

    def __init__(self, spine: Spine, step: str, settings: dict[str, str]) -> None:
        super().__init__()
        self._spine, self._step, self._settings = spine, step, settings
        self.producers: list[SlowProducer] = []
        self.backend = 0
        self.raised: Exception | None = None

    def run(self) -> None:
        with relaying(self._spine, client=self._make) as rounds:
            self.backend = rounds.connection.info.backend_pid
            try:
                rounds.one()
            except (Retryable, psycopg.OperationalError) as error:
                self.raised = error

    def _make(self, settings: dict[str, Any]) -> Producer:
        self.producers.append(SlowProducer(settings | self._settings, self._step))
        return self.producers[-1]

    def until_there(self) -> None:
        until(
            lambda: self.producers and self.producers[0].is_there.is_set(),
            "the older relay is in the midst of its batch",
        )

    def go_on(self) -> None:
        for each in self.producers:
            each.may_go_on.set()
        self.join(60)
        assert not self.is_alive()


@pytest.mark.parametrize(
    ("step", "settings"),
    [("flush", {"linger.ms": LONG_MS}), ("flush", {"linger.ms": "0"}), ("commit", {})],
    ids=["queued its batch", "sent its batch", "seen that its session lives"],
)
def test_a_relay_that_was_replaced_sends_nothing_of_what_it_had_begun(
    spine: Spine, step: str, settings: dict[str, str]
) -> None:
    with transaction.atomic():
        emit_tombstone(PRICES, key="m", seen=(0, 0), now=NOW)
    older = Older(spine, step, settings)
    older.start()
    older.until_there()
    spine.rows("SELECT pg_terminate_backend(%s)", older.backend)
    with transaction.atomic():
        emit("MarketPrice", event_of("MarketPrice", market_id="m", version=1, status="open"), key="m", now=NOW)
    with relaying(spine) as newer:
        newer.until_idle()

    older.go_on()

    assert told(spine) == ["tombstone", "price"]
    assert older.raised is not None
    assert all_sent()


def test_a_relay_that_waits_for_kafka_keeps_its_turn(spine: Spine) -> None:
    """For three times as long as it may be silent."""
    make(spine, "goes")
    with relaying(spine, patience=9.0, limits=replace(LIMITS, replaced_after=3 * SECOND)) as rounds:
        write("s0", topic="goes")
        rounds.until_idle()
        delete(spine, "goes")
        silent = write("s1", topic="goes")

        rounds.until_idle()

    assert states(silent) == ["first"]


def test_a_round_in_which_topic_after_topic_is_silent_is_noted_to_its_end(spine: Spine) -> None:
    topics = ("goes", "goes-too")
    for topic in topics:
        make(spine, topic)
    limits = replace(LIMITS, replaced_after=3 * SECOND)
    with relaying(spine, patience=5.0, limits=limits, asked=lambda _: {}) as rounds:
        for topic in topics:
            write("s0", key=topic, topic=topic)
        rounds.until_idle()
        for topic in topics:
            delete(spine, topic)
        silent = [number for topic in topics for number in write("s1", key=topic, topic=topic)]
        rounds.until_idle()
        assert states(silent) == ["first", "first"]
        rounds.clock.advance(2 * SECOND)

        rounds.one()

    assert [row.attempts for row in Outgoing.objects.in_bulk(silent).values()] == [2, 2]


def all_sent() -> bool:
    """Each at its first attempt."""
    return not Outgoing.objects.exclude(sent_at__isnull=False, attempts=0, held_since=None)


def told(spine: Spine) -> list[str]:
    return ["tombstone" if value is None else "price" for _, value, _ in spine.read(PRICES)]
