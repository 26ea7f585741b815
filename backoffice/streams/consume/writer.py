"""The writing half of a lane: takes prepared batches, stores them, halts what is too bad."""

import logging
import queue
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Generic

from backoffice.kernel.errors import Retryable

from .. import telemetry
from ..kafka import topicids
from ..kafka.topicids import Asked
from ..patience import back_off
from .batch import Batch, DeadLetter
from .halting.brake import Brake
from .halting.halts import Cause
from .lane import Lane
from .sink import Fenced, P, Sink
from .watching.state import LaneState

log = logging.getLogger(__name__)

# A fault that is nobody's message may pass; after so many tries in a row it is a person's.
TRIES = 3
BETWEEN_TRIES_SECONDS = 2.0


class Writer(Generic[P]):
    """Stores batches of one lane in a thread of its own.

    ``epoch`` counts how often the reader started anew; a batch of an earlier epoch is dropped. ``rewind`` is set when
    the reader has to start anew; ``away`` while the sink does not answer. What is read from another topic of the same
    name than that which the offsets belong to is not stored.
    """

    def __init__(self, lane: Lane, sink: Sink[P], state: LaneState) -> None:
        self.epoch = 0
        self.rewind = threading.Event()
        self.away = threading.Event()
        self.brake = Brake(lane)
        self._lane = lane
        self._sink = sink
        self._state = state
        self._stopping = threading.Event()
        self._inbox: queue.Queue[tuple[int, P, Asked]] = queue.Queue(maxsize=1)
        self._storing = threading.Lock()
        self._failures = Counter[int]()
        self._thread = threading.Thread(target=self._run, name=f"write-{lane.group}", daemon=True)

    @property
    def stored(self) -> dict[int, int]:
        """The next offset of each partition that this worker has, as far as it knows."""
        return self._state.stored

    @stored.setter
    def stored(self, offsets: dict[int, int]) -> None:
        self._state.stored = offsets

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> None:
        """Store no further batch; the thread ends with the one that it is at."""
        self._stopping.set()

    def offer(self, prepared: P, asked: Asked, wait: float) -> bool:
        """Hand over a batch, with the question for the topic's id that was put after it was read.

        False when there is no room within ``wait`` seconds.
        """
        try:
            self._inbox.put((self.epoch, prepared, asked), timeout=wait)
        except queue.Full:
            return False
        return True

    def forget(self, wait: float) -> None:
        """Drop what waits, and let what is being stored come to its end (for at most ``wait`` seconds)."""
        self.epoch += 1
        # The thread may take the last one between a look and a get.
        with suppress(queue.Empty):
            while True:
                self._inbox.get_nowait()
        if self._storing.acquire(timeout=wait):
            self._storing.release()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._state.writes("waits for a batch")
                self._take()
        except BaseException:
            # Threading tells of no SystemExit; the reader sees that it has nobody who writes.
            log.exception("%s: its writer has died", self._lane.group)
        finally:
            self._state.writes("has ended")
            self._sink.close()

    def _take(self) -> None:
        try:
            epoch, prepared, asked = self._inbox.get(timeout=0.1)
        except queue.Empty:
            return
        with self._storing:
            if epoch == self.epoch:
                self._store(epoch, prepared, asked)

    def _store(self, epoch: int, prepared: P, asked: Asked) -> None:
        try:
            self._state.writes("asks which topic this is")
            if self._is_of_our_topic(asked):
                self._state.writes("stores a batch")
                self._store_and_stop(epoch, prepared)
        except Fenced as fenced:
            log.info("%s starts anew: %s", self._lane.group, fenced)
            self.rewind.set()
        except Retryable as error:
            log.warning("%s waits: %s", self._lane.group, error)
            self._reconnect(str(error))
            self.rewind.set()
        except BaseException as error:
            # A panic of a Rust library is no Exception, and an exit that a library asks for ends no lane.
            log.exception("%s cannot store a batch; nothing of it is skipped", self._lane.group)
            self._after_failure(prepared.batch, error)

    def _is_of_our_topic(self, asked: Asked) -> bool:
        """What was read before the answer is of the topic that it tells, unless that has changed in between."""
        present = topicids.answer(asked)
        if present is None:
            raise Retryable(f"Kafka has no topic {self._lane.topic_name} now.")
        if present != self.brake.topic_id:
            self.rewind.set()
        return present == self.brake.topic_id

    def _after_failure(self, batch: Batch, error: BaseException) -> None:
        """Try again for what may pass; then halt, because a fault of ours must not look like an idle topic.

        Counted for each partition: that another one goes on does not mend this one.
        """
        self._failures.update(batch.spans.keys())
        self.rewind.set()
        failed = [partition for partition in batch.spans if self._failures[partition] >= TRIES]
        if not failed:
            self._stopping.wait(BETWEEN_TRIES_SECONDS)
            self._reconnect(str(error))
            return
        for partition in failed:
            del self._failures[partition]
        told = f"{error} ({type(error).__name__}). Look at the worker's log, mend the cause, then resume it."
        starts = {partition: max(batch.spans[partition][0], self.stored.get(partition, 0)) for partition in failed}
        try:
            self.brake.halt(
                starts, Cause.UNSTORABLE, f"No message of it is to blame, and yet it cannot be stored: {told}"
            )
        except Retryable as away:
            log.warning("%s: partitions %s cannot be halted yet: %s", self._lane.group, sorted(starts), away)

    def _store_and_stop(self, epoch: int, prepared: P) -> None:
        """Store the batch up to where partitions halt, and halt these then: a halt is where the sink stands."""
        prepared, stops = self._trimmed(prepared)
        is_stored = not prepared.batch.spans or self._commit(epoch, prepared)
        for partition, (offset, dead) in stops.items():
            self.rewind.set()
            if is_stored:
                self.brake.stop(partition, offset, dead)

    def _commit(self, epoch: int, prepared: P) -> bool:
        """Whether all of it was stored, and nothing has come up that halts or starts anew."""
        began = time.monotonic()
        for part in self._sink.commit(prepared):
            telemetry.COMMIT_SECONDS.labels(*self._lane.labels).observe(time.monotonic() - began)
            self._committed(part.batch)
            if self._stopping.is_set() or epoch != self.epoch or self.rewind.is_set():
                self.rewind.set()
                return False
            began = time.monotonic()
        return True

    def _committed(self, part: Batch) -> None:
        labels = self._lane.labels
        self.stored = self.stored | {partition: end for partition, (_, end) in part.spans.items()}
        telemetry.MESSAGES.labels(*labels).inc(len(part) - len(part.dead) - len(part.repeats) - len(part.passed))
        telemetry.DEAD_LETTERS.labels(*labels).inc(len(part.dead))
        telemetry.REPEATS.labels(*labels).inc(len(part.repeats))
        telemetry.BATCH_SIZE.labels(*labels).observe(len(part))
        for partition in sorted(set(part.partitions)):
            if self.brake.count(part, partition):
                self.rewind.set()
        for partition in part.spans:
            self._failures.pop(partition, None)

    def _trimmed(self, prepared: P) -> tuple[P, dict[int, tuple[int, DeadLetter]]]:
        """The batch without what comes from the bad message on that halts a partition, and where that is."""
        batch, stops = prepared.batch, {}
        for partition in sorted({batch.partitions[row] for row in batch.dead}):
            row = self.brake.stops_at(batch, partition)
            while row is not None and self.brake.accepts(partition, batch.offsets[row]):
                row = self.brake.stops_at(batch, partition)
            if row is not None:
                stops[partition] = (batch.offsets[row], batch.dead[row])
                prepared = self._sink.prepare(batch.until(partition, batch.offsets[row]))
                batch = prepared.batch
        return prepared, stops

    def _reconnect(self, why: str) -> None:
        """Open the sink anew, however long that takes."""
        self.away.set()
        self._state.writes(f"waits for its sink: {why}")
        for _ in back_off(self._stopping):
            try:
                self._sink.open()
            except Retryable as error:
                log.warning("%s: its sink is away: %s", self._lane.group, error)
            else:
                break
        self.away.clear()
