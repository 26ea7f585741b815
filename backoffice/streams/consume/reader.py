"""The reading half of a lane: Kafka's consumer, its rebalances, and where it has to begin."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from numpy.typing import NDArray

from backoffice.kernel.errors import Retryable

from .. import telemetry
from ..database import connect, retryable
from ..deadletters.standing import standing_of
from ..patience import back_off
from . import halts
from .batch import Batch, Span, Standing
from .gaps import Gaps
from .lane import Lane
from .logtimes import LogTimes, appended
from .sink import P, Sink
from .writer import Writer

log = logging.getLogger(__name__)

HOUSEKEEPING_SECONDS = 2.0
SETTLE_SECONDS = 5.0
PATIENCE_SECONDS = 0.5
# A batch costs some 10 ms of two processors however few messages it has. Where fewer than these came last time, wait
# this much longer for the next: a thousand events a second over all lanes then take half the machine instead of all.
FEW = 200
LONGER = 3
ANSWER_SECONDS = 1.0
LOST_LOG = (
    "Its log begins after the next message to store, or was made anew: messages are missing. "
    "Rebuild from a backup or accept the gap."
)


class Reader(Generic[P]):
    """Runs one lane: consumes, prepares, hands over; starts anew from the stored offsets when something went wrong."""

    def __init__(
        self, lane: Lane, sink: Sink[P], stopping: threading.Event, connect_consumer: Callable[[], Consumer]
    ) -> None:
        self._lane = lane
        self._sink = sink
        self._stopping = stopping
        sink.open()
        self._consumer = connect_consumer()
        self._writer = Writer(lane, sink)
        self._owned: set[int] = set()
        self._halted: set[int] = set()
        self._positions: dict[int, int] = {}
        self._paused: set[int] = set()
        self._gaps = Gaps()
        self._times = LogTimes()
        self._next_housekeeping = 0.0
        self._came = 0

    def run(self) -> None:
        """Until told to stop. Raises Retryable where only a new start helps."""
        self._consumer.subscribe(
            [self._lane.topic_name], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )
        self._writer.start()
        try:
            while not self._stopping.is_set():
                self._turn()
        finally:
            self._writer.end()
            self._writer.forget(SETTLE_SECONDS)
            self._consumer.close()
            self._writer.join(SETTLE_SECONDS)

    def _turn(self) -> None:
        if self._writer.rewind.is_set():
            self._rewind()
        linger = self._lane.limits.linger * (1 if self._came >= FEW else LONGER)
        messages = self._consumer.consume(self._lane.limits.batch_size, linger)
        self._came = len(messages)
        batch = self._batch(messages)
        if batch is not None:
            self._hand_over(batch)
        if time.monotonic() >= self._next_housekeeping:
            self._keep_house()

    def _batch(self, messages: list[Message]) -> Batch | None:
        """The messages that are next in their partitions; what is left over from before a rewind falls out."""
        # Asked of all messages by map(): a Python call for each and every one costs more than what it asks.
        if any(error is not None for error in map(Message.error, messages)):
            messages = [message for message in messages if self._is_data(message)]
        if not messages:
            return None
        partitions = np.fromiter(map(Message.partition, messages), np.int64, len(messages))
        numbers = np.fromiter(map(Message.offset, messages), np.int64, len(messages))
        starts = np.array([self._positions.get(p, np.iinfo(np.int64).max) for p in range(int(partitions.max()) + 1)])
        wanted = numbers >= starts[partitions]
        spans = self._spans(partitions, numbers, wanted)
        if not wanted.all():
            messages = [message for message, kept in zip(messages, wanted, strict=True) if kept]
            partitions, numbers = partitions[wanted], numbers[wanted]
        if not messages:
            return None
        times = appended(messages)
        for partition in spans:
            times[partitions == partition] = self._times.of(partition, times[partitions == partition])
        values = list(map(Message.value, messages))
        keys = list(map(Message.key, messages))
        places = partitions.tolist(), numbers.tolist(), times.tolist()
        return Batch(self._lane.topic, values, keys, *places, _replayed(messages), spans)

    def _spans(
        self, partitions: NDArray[np.int64], numbers: NDArray[np.int64], wanted: NDArray[np.bool_]
    ) -> dict[int, Span]:
        """From where to where these messages lead in each partition.

        A partition of which some may be missing is read again: its messages are struck from ``wanted``.
        """
        spans = {}
        for partition in np.unique(partitions[wanted]).tolist():
            own = wanted & (partitions == partition)
            position = self._positions[partition]
            if self._gaps.trusted(partition, position, numbers[own]):
                spans[partition] = (position, int(numbers[own][-1]) + 1)
            else:
                log.info("%s reads partition %s again to be sure: offsets are missing", self._lane.group, partition)
                wanted &= ~own
                self._seek(partition, position)
        self._positions |= {partition: end for partition, (_, end) in spans.items()}
        return spans

    def _is_data(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        partition = message.partition()
        if error.code() == KafkaError._AUTO_OFFSET_RESET and partition is not None and partition in self._positions:
            self._writer.halt(partition, self._positions[partition], LOST_LOG)
        elif error.fatal():
            raise Retryable(f"Kafka: {error.str()}")
        else:
            log.info("%s: Kafka says: %s", self._lane.group, error.str())
        return False

    def _hand_over(self, batch: Batch) -> None:
        """Prepare the batch and give it to the writer; while either has to wait, stay in the group and take no more."""
        epoch = self._writer.epoch
        prepared = self._prepared(batch, epoch)
        while prepared is not None and not self._is_over(epoch):
            if self._writer.offer(prepared, PATIENCE_SECONDS):
                break
            if not self._writer.is_alive():
                raise Retryable("its writer has died")
            self._hold()
        self._go_on()

    def _prepared(self, batch: Batch, epoch: int) -> P | None:
        for _ in back_off(self._stopping):
            if self._is_over(epoch):
                return None
            try:
                return self._sink.prepare(batch)
            except Retryable as error:
                log.warning("%s waits: %s", self._lane.group, error)
                self._hold()
        return None

    def _is_over(self, epoch: int) -> bool:
        """Whether what was read before is to be dropped."""
        return self._stopping.is_set() or self._writer.rewind.is_set() or epoch != self._writer.epoch

    def _hold(self) -> None:
        """Poll without taking messages, so that the group does not give the partitions away.

        One that is handed out all the same is read again.
        """
        self._pause({partition.partition for partition in self._consumer.assignment()})
        if message := self._consumer.poll(0):
            if self._is_data(message):
                self._positions.pop(message.partition() or 0, None)
            self._writer.rewind.set()

    def _pause(self, partitions: set[int]) -> None:
        if fresh := partitions - self._paused:
            self._consumer.pause([TopicPartition(self._lane.topic_name, partition) for partition in sorted(fresh)])
            self._paused |= fresh

    def _go_on(self) -> None:
        """Resume what is paused, and nothing else: the client drops what it has fetched of a partition it resumes."""
        again = (self._paused - self._halted) & self._owned
        if again and not self._writer.rewind.is_set():
            self._consumer.resume([TopicPartition(self._lane.topic_name, partition) for partition in sorted(again)])
            self._doubt(again)
            self._paused -= again

    def _doubt(self, partitions: set[int]) -> None:
        for partition in partitions:
            self._gaps.doubt(partition)

    def _rewind(self) -> None:
        """Begin again at the stored offsets, once Postgres can say what they are."""
        while self._writer.away.is_set() and not self._stopping.wait(0.05):
            self._hold()
        self._writer.rewind.clear()
        self._writer.forget(SETTLE_SECONDS)
        stored = self._stored(self._owned)
        for partition in sorted(self._owned):
            if stored is not None and self._positions.get(partition) != stored[partition]:
                self._seek(partition, stored[partition])
        self._pause(self._halted & self._owned)
        self._go_on()

    def _seek(self, partition: int, offset: int) -> None:
        self._doubt({partition})
        try:
            self._consumer.seek(TopicPartition(self._lane.topic_name, partition, offset))
        except KafkaException as error:
            log.info("%s: cannot seek yet: %s", self._lane.group, error)
            self._writer.rewind.set()
            self._stopping.wait(0.05)
        else:
            self._positions[partition] = offset

    def _stored(self, partitions: set[int]) -> dict[int, int] | None:
        """Where each partition goes on; waits for the sink as long as it takes. None when told to stop meanwhile."""
        for _ in back_off(self._stopping):
            try:
                return self._read_offsets(partitions)
            except Retryable as error:
                log.warning("%s: the stored offsets cannot be read yet: %s", self._lane.group, error)
        return None

    def _read_offsets(self, partitions: set[int]) -> dict[int, int]:
        lane = self._lane
        with retryable(), connect() as connection:
            self._halted = halts.open_halts(connection, lane.stream, lane.topic)
        found = self._sink.positions(partitions, self._first_offset)
        self._times.start({partition: position.logged for partition, position in found.items()})
        return {partition: position.next for partition, position in found.items()}

    def _first_offset(self, partition: int) -> int:
        try:
            low, _ = self._consumer.get_watermark_offsets(TopicPartition(self._lane.topic_name, partition), timeout=5)
        except KafkaException as error:
            raise Retryable(f"Kafka does not say where {self._lane.topic_name}[{partition}] begins: {error}") from error
        return int(low)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gained = {partition.partition for partition in partitions}
        self._writer.forget(SETTLE_SECONDS)
        stored = self._stored(gained) or {}
        for partition in partitions:
            partition.offset = stored.get(partition.partition, 0)
            self._positions[partition.partition] = partition.offset
        # Lag is known from now on, and not only once something was stored.
        self._writer.stored |= {partition: stored[partition] for partition in gained & stored.keys()}
        consumer.incremental_assign(partitions)
        self._owned |= gained
        self._paused -= gained
        self._doubt(self._owned)
        self._writer.rewind.set()

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._writer.forget(SETTLE_SECONDS)
        consumer.incremental_unassign(partitions)
        for partition in partitions:
            self._owned.discard(partition.partition)
            self._paused.discard(partition.partition)
            self._positions.pop(partition.partition, None)
        self._doubt(self._owned)
        self._writer.rewind.set()

    def _keep_house(self) -> None:
        """Now and then: lag, Kafka's copy of the offsets, partitions that a person let go on."""
        self._next_housekeeping = time.monotonic() + HOUSEKEEPING_SECONDS
        topic, stored = self._lane.topic_name, dict(self._writer.stored)
        for partition in sorted(self._owned & stored.keys()):
            if (end := self._end(partition)) is not None:
                telemetry.LAG.labels(*self._lane.labels, partition).set(max(0, end - stored[partition]))
        copies = [
            TopicPartition(topic, partition, end) for partition, end in stored.items() if partition in self._owned
        ]
        if copies:
            self._consumer.commit(offsets=copies, asynchronous=True)
        if self._halted and not self._writer.away.is_set():
            self._look_for_resumed()

    def _end(self, partition: int) -> int | None:
        """Where Kafka's log ends, as the last fetch said; one that is halted is not fetched, and so Kafka is asked."""
        place = TopicPartition(self._lane.topic_name, partition)
        try:
            if partition in self._halted:
                _, high = self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
            else:
                _, high = self._consumer.get_watermark_offsets(place, cached=True)
        except KafkaException as error:
            log.info("%s: Kafka does not say where %s ends: %s", self._lane.group, partition, error)
            return None
        return int(high) if high >= 0 else None

    def _look_for_resumed(self) -> None:
        before = self._halted
        self._stored(self._owned)
        for partition in before - self._halted:
            telemetry.HALTED.labels(*self._lane.labels, partition).set(0)
            self._writer.rewind.set()


def _replayed(messages: list[Message]) -> dict[Span, Standing]:
    """Where those stood that were dead letters and are sent again."""
    found = {}
    for message, headers in zip(messages, map(Message.headers, messages), strict=True):
        if headers and (standing := standing_of(headers)):  # type: ignore[arg-type]
            found[message.partition() or 0, message.offset() or 0] = standing
    return found
