"""The writing half of a lane: takes prepared batches, stores them, halts what is too bad."""

import logging
import queue
import threading
import time
from typing import Generic

from backoffice.kernel.errors import Retryable

from .. import telemetry
from ..database import connect, retryable
from ..patience import back_off
from . import halts
from .batch import Batch, DeadLetter
from .breaker import Breaker
from .lane import Lane
from .sink import Fenced, P, Sink

log = logging.getLogger(__name__)


class Writer(Generic[P]):
    """Stores batches of one lane in a thread of its own.

    ``epoch`` counts how often the reader started anew; a batch of an earlier epoch is dropped. ``rewind`` is set when
    the reader has to start anew; ``away`` while the sink does not answer.
    """

    def __init__(self, lane: Lane, sink: Sink[P]) -> None:
        self.epoch = 0
        self.rewind = threading.Event()
        self.away = threading.Event()
        self.halted: set[int] = set()
        self.stored: dict[int, int] = {}
        self._lane = lane
        self._sink = sink
        self._stopping = threading.Event()
        self._inbox: queue.Queue[tuple[int, P]] = queue.Queue(maxsize=1)
        self._storing = threading.Lock()
        self._breakers: dict[int, Breaker] = {}
        self._thread = threading.Thread(target=self._run, name=f"write-{lane.group}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> None:
        """Store no further batch; the thread ends with the one that it is at."""
        self._stopping.set()

    def offer(self, prepared: P, wait: float) -> bool:
        """Hand over a batch; False when there is no room within ``wait`` seconds."""
        try:
            self._inbox.put((self.epoch, prepared), timeout=wait)
        except queue.Full:
            return False
        return True

    def forget(self, wait: float) -> None:
        """Drop what waits, and let what is being stored come to its end (for at most ``wait`` seconds)."""
        self.epoch += 1
        self._breakers.clear()
        while not self._inbox.empty():
            self._inbox.get_nowait()
        if self._storing.acquire(timeout=wait):
            self._storing.release()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._take()
        finally:
            self._sink.close()

    def _take(self) -> None:
        try:
            epoch, prepared = self._inbox.get(timeout=0.1)
        except queue.Empty:
            return
        with self._storing:
            if epoch == self.epoch:
                self._store(epoch, prepared)

    def _store(self, epoch: int, prepared: P) -> None:
        try:
            self._commit(epoch, self._trimmed(prepared))
        except Fenced as fenced:
            log.info("%s starts anew: %s", self._lane.group, fenced)
            self.rewind.set()
        except Retryable as error:
            log.warning("%s waits for its sink: %s", self._lane.group, error)
            self._reconnect()
            self.rewind.set()
        except Exception:
            # A fault in our own code: the batch stays in Kafka and is tried again until it is mended.
            log.exception("%s cannot store a batch; it is tried again", self._lane.group)
            self._stopping.wait(2.0)
            self._reconnect()
            self.rewind.set()

    def _commit(self, epoch: int, prepared: P) -> None:
        began = time.monotonic()
        for part in self._sink.commit(prepared):
            telemetry.COMMIT_SECONDS.labels(*self._lane.labels).observe(time.monotonic() - began)
            self._committed(part.batch)
            self._halt_on_late(part.batch)
            if self._stopping.is_set() or epoch != self.epoch:
                self.rewind.set()
                return
            began = time.monotonic()

    def _committed(self, part: Batch) -> None:
        labels = self._lane.labels
        self.stored |= {partition: end for partition, (_, end) in part.spans.items()}
        telemetry.MESSAGES.labels(*labels).inc(len(part) - len(part.dead) - len(part.repeats) - len(part.passed))
        telemetry.DEAD_LETTERS.labels(*labels).inc(len(part.dead))
        telemetry.REPEATS.labels(*labels).inc(len(part.repeats))
        telemetry.BATCH_SIZE.labels(*labels).observe(len(part))

    def _trimmed(self, prepared: P) -> P:
        """The batch without what comes after the dead letter that halts a partition; that partition is halted."""
        batch = prepared.batch
        for partition in sorted({batch.partitions[row] for row in batch.dead}):
            places = batch.places(partition)
            tripped = self._breaker(partition).trips_at(
                len(places), [place for place, row in enumerate(places) if row in batch.dead]
            )
            if tripped is not None:
                row = places[tripped]
                self._halt(partition, batch.offsets[row], batch.dead[row])
                batch = batch.until(partition, batch.offsets[row])
                prepared = self._sink.prepare(batch)
                batch = prepared.batch
        return prepared

    def _halt_on_late(self, part: Batch) -> None:
        """The same for dead letters that only the database found; these are stored already."""
        for row, dead in part.dead.items():
            partition = part.partitions[row]
            if dead.late and self._breaker(partition).trips_at(0, [0]) is not None:
                self._halt(partition, part.spans[partition][1], dead)

    def _halt(self, partition: int, offset: int, dead: DeadLetter) -> None:
        limits = self._lane.limits
        reason = (
            f"More than {limits.dead_letter_ratio:.0%} of the last {limits.dead_letter_window} messages are bad; "
            f"the latest: {dead.reason.rstrip('.')}. Mend the producer or the contract, then resume it."
        )
        self.halt(partition, offset, reason)

    def halt(self, partition: int, offset: int, reason: str) -> None:
        """Stop one partition until a person resumes it."""
        # A connection of its own: the reader halts too, while this one may be in a transaction.
        with retryable(), connect() as connection:
            is_new = halts.halt(
                connection,
                stream=self._lane.stream,
                topic=self._lane.topic,
                partition=partition,
                offset=offset,
                reason=reason,
                now=self._lane.clock.now(),
            )
        if is_new:
            log.error("%s: partition %s halted at offset %s. %s", self._lane.group, partition, offset, reason)
        telemetry.HALTED.labels(*self._lane.labels, partition).set(1)
        self.halted.add(partition)
        self.rewind.set()

    def _breaker(self, partition: int) -> Breaker:
        limits = self._lane.limits
        return self._breakers.setdefault(
            partition, Breaker(window=limits.dead_letter_window, ratio=limits.dead_letter_ratio)
        )

    def _reconnect(self) -> None:
        """Open the sink anew, however long that takes."""
        self.away.set()
        for _ in back_off(self._stopping):
            try:
                self._sink.open()
            except Retryable as error:
                log.warning("%s: its sink is away: %s", self._lane.group, error)
            else:
                break
        self.away.clear()
