"""The writing half of a lane: takes prepared batches, stores them, halts what is too bad."""

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Generic

from backoffice.kernel.errors import Retryable

from .. import telemetry
from ..kafka import topicids
from ..kafka.topicids import Asked
from .batch import Batch, DeadLetter
from .halting.brake import Brake
from .halting.halts import Cause
from .lane import Lane
from .sink import Fenced, P, Refused, Sink
from .trouble import Trouble
from .watching.state import LaneState

log = logging.getLogger(__name__)

# A fault that is nobody's message may pass; after so many tries in a row it is a person's.
TRIES = 3
BETWEEN_TRIES_SECONDS = 2.0
# How soon whoever waits sees that it has no more to wait for.
LOOK_SECONDS = 0.05


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
        self._trouble = Trouble(lane.group)
        self._thread = threading.Thread(target=self._run, name=f"write-{lane.group}", daemon=True)

    @property
    def stored(self) -> Mapping[int, int]:
        """The next offset of each partition that this worker has, as far as it knows."""
        return self._state.stored

    def know(self, offsets: Mapping[int, int]) -> None:
        """So far these partitions are stored."""
        self._state.know(offsets)

    def lose(self, partition: int) -> None:
        """It is another worker's."""
        self._state.lose(partition)

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

    def join(self, timeout: float, stopping: threading.Event) -> None:
        """Wait for its end, while the worker stops for at most ``timeout`` seconds.

        Else as long as that takes: a lane that begins anew opens the same sink, and two who write over one connection
        would each undo parts of what the other one stores.
        """
        # Without an id it was never begun.
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if self._thread.is_alive():
            log.warning("%s: its writer is still at work; it begins anew once that has ended", self._lane.group)
        while self._thread.is_alive() and not stopping.wait(LOOK_SECONDS):
            pass

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._writes("waits for a batch")
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
        """Until it is stored, or has to be read again."""
        while self._is_refused(epoch, prepared, asked):
            self._wait(epoch, self._trouble.pause)
            if self._stopping.is_set() or self.rewind.is_set() or epoch != self.epoch:
                return

    def _is_refused(self, epoch: int, prepared: P, asked: Asked) -> bool:
        """Whether the sink stands open and cannot store it now."""
        try:
            self._writes("asks which topic this is")
            if self._is_of_our_topic(asked):
                self._writes("stores a batch")
                self._store_and_stop(epoch, prepared)
        except Fenced as fenced:
            log.info("%s starts anew: %s", self._lane.group, fenced)
            self.rewind.set()
        except Refused as refused:
            self._trouble.note("waits for its sink", refused)
            self._writes("stores a batch")
            spans = prepared.batch.spans
            # What stands behind a part that was stored has to be read again.
            if any(self.stored.get(partition, start) != start for partition, (start, _) in spans.items()):
                self.rewind.set()
            return True
        except Retryable as error:
            self._trouble.note("waits for its sink", error)
            self._reopen(epoch)
            self.rewind.set()
        except BaseException as error:
            # A panic of a Rust library is no Exception, and an exit that a library asks for ends no lane.
            log.exception("%s cannot store a batch; nothing of it is skipped", self._lane.group)
            self._after_failure(epoch, prepared.batch, error)
        return False

    def _wait(self, epoch: int, seconds: float) -> None:
        """Before it is tried again; whoever takes partitions away, or ends the worker, does not wait for that."""
        until = time.monotonic() + seconds
        while epoch == self.epoch and time.monotonic() < until and not self._stopping.wait(LOOK_SECONDS):
            pass

    def _writes(self, what: str) -> None:
        """While nothing could be stored, the reason stands in place of what is tried at the moment."""
        self._state.writes(self._trouble.reason or what)

    def _is_of_our_topic(self, asked: Asked) -> bool:
        """What was read before the answer is of the topic that it tells, unless that has changed in between."""
        present = topicids.answer(asked)
        if present is None:
            raise Retryable(f"Kafka has no topic {self._lane.topic_name} now.")
        if present != self.brake.topic_id:
            self.rewind.set()
        return present == self.brake.topic_id

    def _after_failure(self, epoch: int, batch: Batch, error: BaseException) -> None:
        """Try again for what may pass; then halt, because a fault of ours must not look like an idle topic.

        Counted for each partition: that another one goes on does not mend this one.
        """
        self._failures.update(batch.spans.keys())
        self.rewind.set()
        failed = [partition for partition in batch.spans if self._failures[partition] >= TRIES]
        if not failed:
            self._trouble.note("cannot store a batch", error)
            self._wait(epoch, BETWEEN_TRIES_SECONDS)
            self._reopen(epoch)
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
        self._trouble.end()
        self.know({partition: end for partition, (_, end) in part.spans.items()})
        telemetry.MESSAGES.labels(*labels).inc(len(part) - len(part.dead) - len(part.repeats) - len(part.passed))
        telemetry.DEAD_LETTERS.labels(*labels).inc(len(part.dead))
        telemetry.REPEATS.labels(*labels).inc(len(part.repeats))
        telemetry.BATCH_SIZE.labels(*labels).observe(len(part))
        for partition in sorted(part.counts):
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

    def _reopen(self, epoch: int) -> None:
        """Open the sink anew, however long that takes, unless its partitions are taken away meanwhile."""
        self.away.set()
        while epoch == self.epoch and not self._stopping.is_set():
            self._writes("opens its sink")
            self._wait(epoch, self._trouble.pause)
            try:
                self._sink.open()
            except Retryable as error:
                self._trouble.note("waits for its sink, which is away", error)
            else:
                break
        self.away.clear()
