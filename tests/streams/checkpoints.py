"""The smallest sink there is, and a lane that reads into it: for what holds of any sink, not only of tables."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings

from backoffice.contracts.registry import Registry
from backoffice.kernel.clock import SystemClock
from backoffice.streams.consume.batch import Batch
from backoffice.streams.consume.deadletters import store_dead
from backoffice.streams.consume.decoding import decode
from backoffice.streams.consume.lane import Lane, Limits
from backoffice.streams.consume.sink import Fenced, Position
from backoffice.streams.database import connect, retryable
from backoffice.streams.step import LaneThread
from tests.spine import Spine

STREAM, TOPIC = "counting", "bet-events"


@dataclass(frozen=True)
class Counted:
    batch: Batch
    counts: Counter[str]


class Checkpoints:
    """Counts by record in memory, and a file with them, the generation and the offsets, replaced whole."""

    def __init__(self, path: Path, registry: Registry) -> None:
        self._path, self._registry = path, registry
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.generation = 0
        self.positions_now: dict[int, int] = {}

    def open(self) -> None:
        if self._path.exists():
            kept = json.loads(self._path.read_text())
            with self._lock:
                self.counts, self.generation = Counter(kept["counts"]), kept["generation"]
                self.positions_now = {int(partition): at for partition, at in kept["positions"].items()}

    def close(self) -> None:
        """Nothing is open."""

    def positions(
        self, partitions: Collection[int], first: Callable[[int], int], generation: int
    ) -> dict[int, Position]:
        with self._lock:
            if generation != self.generation:
                self.generation, self.positions_now = generation, {}
            for partition in set(partitions) - self.positions_now.keys():
                self.positions_now[partition] = first(partition)
            return {partition: Position(at) for partition, at in self.positions_now.items()}

    def prepare(self, batch: Batch) -> Counted:
        decoded = decode(batch, records=("BetPlaced",), writers=self._registry, now=SystemClock().now())
        told = replace(batch, dead=batch.dead | decoded.dead, passed=decoded.passed)
        return Counted(told, Counter({record: table.num_rows for record, table in decoded.tables.items()}))

    def commit(self, prepared: Counted) -> Iterator[Counted]:
        batch = prepared.batch
        with self._lock:
            for partition, (start, _) in batch.spans.items():
                if (self.generation, self.positions_now.get(partition)) != (batch.generation, start):
                    raise Fenced(f"{partition} is not at {start} of {batch.generation}")
            with retryable(), connect() as connection:
                store_dead(connection, STREAM, batch, SystemClock().now())
            self.positions_now |= {partition: end for partition, (_, end) in batch.spans.items()}
            self.counts += prepared.counts
            self._keep()
        yield prepared

    def _keep(self) -> None:
        beside = self._path.with_suffix(".new")
        kept = {"counts": self.counts, "generation": self.generation, "positions": self.positions_now}
        beside.write_text(json.dumps(kept))
        beside.replace(self._path)


@contextmanager
def reading(spine: Spine, sink: Checkpoints) -> Iterator[None]:
    lane = Lane(STREAM, TOPIC, spine.prefix, settings.KAFKA, Limits(**settings.STREAMS), SystemClock())
    stopping = threading.Event()
    thread = LaneThread(lane, sink, stopping)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(15)
        assert not thread.is_alive()
