"""B3: how long after it was due to be produced an event can be read from Postgres, under a steady load.

Open loop: every event has its moment, and is late from then on, whoever held it up: producer, broker, worker or
database. The samples are bets that another connection asks for by their ids until it sees them.
"""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from uuid import UUID

from confluent_kafka import Producer
from django.conf import settings

from backoffice.streams.kafka.clients import producer
from bench.bets import Betting
from bench.crew import crew
from bench.figures import Figures, percentile
from bench.ingest import LANE, wait_assigned
from bench.stand import Message, Stand

WORKERS = 2
SAMPLE_EVERY = 150
WARM_UP_SECONDS = 2.0
TICK = 0.004
LOOK_EVERY = 0.004
PATIENCE_SECONDS = 60.0


@dataclass
class Load:
    """``messages`` are due one after another at ``rate`` a second; ``samples`` says which of them are which bets."""

    topic: str
    rate: float
    messages: list[Message]
    samples: dict[UUID, int]
    began: float = 0.0
    produced: threading.Event = field(default_factory=threading.Event)

    def due(self, number: int) -> float:
        return self.began + number / self.rate

    def produce(self) -> None:
        sender = producer(settings.KAFKA)
        sent = 0
        while sent < len(self.messages):
            owed = min(len(self.messages), int((time.monotonic() - self.began) * self.rate) + 1)
            for message in self.messages[sent:owed]:
                _send(sender, self.topic, message)
            sent = owed
            sender.poll(0)
            time.sleep(TICK)
        sender.flush(30)
        self.produced.set()


def run(figures: Figures, stand: Stand, rate: float, *, quick: bool) -> None:
    load = _load(stand, rate, seconds=1.0 if quick else 20.0)
    with crew("bench.worker", WORKERS, LANE, stand.environ) as workers:
        wait_assigned(stand, workers)
        stand.empty()
        seen = _watched(stand, load)
    warm = 0.0 if quick else WARM_UP_SECONDS
    ages = [at - load.due(load.samples[bet]) for bet, at in seen.items() if load.samples[bet] / rate >= warm]
    parts = {"rate": rate, "samples": len(ages), "workers": WORKERS, "max_ms": max(ages) * 1000}
    figures.add("B3", "produced → visible, median", median(ages) * 1000, "ms", **parts)
    figures.add("B3", "produced → visible, p99", percentile(ages, 0.99) * 1000, "ms", at_most=250, **parts)
    figures.add("B3", "produced → visible, greatest", max(ages) * 1000, "ms", **parts)


def _load(stand: Stand, rate: float, seconds: float) -> Load:
    events = list(Betting(3, datetime.now(UTC)).events(int(rate * seconds)))
    placed = [number for number, event in enumerate(events) if event.record == "BetPlaced"]
    samples = {UUID(str(events[number].body["bet_id"])): number for number in placed[::SAMPLE_EVERY]}
    return Load(stand.topic(), rate, stand.framed(events), samples)


def _watched(stand: Stand, load: Load) -> dict[UUID, float]:
    """When each sample was first seen."""
    seen: dict[UUID, float] = {}
    waiting = list(load.samples)
    asked: list[UUID] = []
    load.began = time.monotonic()
    thread = threading.Thread(target=load.produce, daemon=True)
    thread.start()
    with stand.connect() as connection:
        while waiting or asked:
            now = time.monotonic()
            while waiting and load.due(load.samples[waiting[0]]) <= now:
                asked.append(waiting.pop(0))
            if asked:
                found = connection.execute("SELECT id FROM trading_bet WHERE id = ANY(%s)", [asked]).fetchall()
                seen |= dict.fromkeys((row[0] for row in found), time.monotonic())
                asked = [bet for bet in asked if bet not in seen]
            if load.produced.is_set() and now > load.due(len(load.messages)) + PATIENCE_SECONDS:
                raise TimeoutError(f"{len(asked)} sampled bets were never seen.")
            time.sleep(LOOK_EVERY)
    thread.join()
    return seen


def _send(sender: Producer, topic: str, message: Message) -> None:
    while True:
        try:
            sender.produce(topic, key=message.key, value=message.value)
        except BufferError:
            sender.poll(0.01)
        else:
            return
