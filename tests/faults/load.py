"""Events sent at a pace while a test does something else."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.conf import settings

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.garbage import KINDS, bad_message
from backoffice.simulator.generator import generate
from backoffice.streams.kafka.clients import producer
from tests.faults.tables import UNLOGGED
from tests.spine import PATIENCE_SECONDS, Spine, produce, until

START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(milliseconds=20)
_SLICE_SECONDS = 0.02
# Where it looks for an event to send again, or to send another one under its id.
_LATEST = 2_000


def some_events(seed: int, count: int | None, players: int = 40) -> Iterator[Event]:
    return generate(seed=seed, start=START, events=count, step=STEP, players=players)


def schema_ids(spine: Spine) -> dict[str, int]:
    """The registry's id of each record; known once, they need no registry."""
    return {record: spine.registry.register(record) for topic in TOPICS.values() for record in topic.records}


def another(event: Event, rng: random.Random) -> Event:
    """A different event under the id of this one: with another amount or time, or money that goes the other way."""
    body = dict(event.body)
    if event.record == "StakeTaken" and rng.random() < 0.5:
        return Event("WinningsPaid", event.key, body | {"amount": 50 * body["amount"]})
    changed = next((name for name in ("amount", "stake") if body.get(name)), "occurred_at")
    return Event(event.record, event.key, body | {changed: body[changed] + 1})


class Load(threading.Thread):
    """Sends events at ``rate`` a second; a share of them again (``repeats``), and bad ones between them (``garbage``).

    ``sent`` are all good messages, repeats included; ``bad`` counts those that nobody can store. ``clashes`` are the
    events that were sent under the ids of others, each after the other one and to its partition, with that other one.
    ``kinds`` are those of the bad ones.
    """

    def __init__(self, spine: Spine, *, seed: int, rate: int, repeats: float = 0.0, garbage: float = 0.0) -> None:
        super().__init__(name="load", daemon=True)
        self.sent: list[Event] = []
        self.bad = 0
        self.clashes: list[tuple[Event, Event]] = []
        self.kinds = KINDS
        self._spine = spine
        self._ids = schema_ids(spine)
        self._events = some_events(seed, None)
        self._rng = random.Random(f"load {seed}")
        self._rate, self._repeats, self._garbage = rate, repeats, garbage
        self._clashes_due = 0
        self._ending = threading.Event()
        self._failed: BaseException | None = None

    def run(self) -> None:
        try:
            self._send()
        except BaseException as error:
            self._failed = error
            raise

    def clash(self, count: int) -> None:
        """Send so many events under ids of others, among the next ones; returns when that is done."""
        wanted = len(self.clashes) + count
        self._clashes_due = count
        until(lambda: len(self.clashes) >= wanted, f"{count} clashes are sent")

    def end(self) -> None:
        """Stop, once Kafka has acknowledged all that was sent."""
        self._ending.set()
        self.join(2 * PATIENCE_SECONDS)
        assert not self.is_alive()
        assert self._failed is None, self._failed

    def _send(self) -> None:
        sender = producer(settings.KAFKA)
        began, count = time.monotonic(), 0
        while not self._ending.wait(_SLICE_SECONDS):
            due = int((time.monotonic() - began) * self._rate)
            while count < due and not self._ending.is_set():
                self._one(sender)
                count += 1
        assert sender.flush(2 * PATIENCE_SECONDS) == 0

    def _one(self, sender: object) -> None:
        fate = self._rng.random()
        if fate < self._garbage:
            bad = bad_message(self._rng.choice(self.kinds), self._rng, self._ids, at=START)
            produce(sender, f"{self._spine.prefix}{bad.topic}", bad.key.encode(), bad.value)
            self.bad += 1
            return
        again = self.sent and fate < self._garbage + self._repeats
        event = self._rng.choice(self.sent[-_LATEST:]) if again else next(self._events)
        self.sent.append(event)
        self._produce(sender, event)
        # Some of the load, so that they are too few for a partition to be halted.
        if self._clashes_due and fate > 0.9:
            self._clash(sender)

    def _clash(self, sender: object) -> None:
        first = self._rng.choice(self.sent[-_LATEST:])
        if first.record not in UNLOGGED:
            other = another(first, self._rng)
            self._produce(sender, other)
            self.clashes.append((first, other))
            self._clashes_due -= 1

    def _produce(self, sender: object, event: Event) -> None:
        produce(sender, f"{self._spine.prefix}{topic_of(event.record)}", event.key.encode(), self.framed(event))

    def framed(self, event: Event) -> bytes:
        """The event's message."""
        return frame(self._ids[event.record], encode(event.record, event.body))


@contextmanager
def under_load(
    spine: Spine, *, seed: int, rate: int = 400, repeats: float = 0.0, garbage: float = 0.0
) -> Iterator[Load]:
    """Load while the block runs; at its end all of it is in Kafka."""
    load = Load(spine, seed=seed, rate=rate, repeats=repeats, garbage=garbage)
    load.start()
    try:
        yield load
    finally:
        load.end()
