"""The reading half of a lane: Kafka's consumer, its rebalances, and where it has to begin."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from backoffice.kernel.errors import Retryable

from .. import telemetry
from ..clocks import POSTGRES
from ..kafka import topicids
from ..kafka.clients import close_quietly
from ..patience import back_off
from .assignment import Assignment
from .batch import Batch, Span
from .halting.faults import Fault, fault_of, is_of_before
from .intake import Intake
from .lane import Lane
from .sink import P, Sink
from .sizing import next_linger, next_size
from .start import Start, read_start
from .trouble import Once
from .watching.state import WAITING, LaneState
from .writer import Writer

log = logging.getLogger(__name__)

HOUSEKEEPING_SECONDS = 2.0
SETTLE_SECONDS = 5.0
PATIENCE_SECONDS = 0.5
# Messages taken from the client in one call.
AT_ONCE = 5_000


class Reader(Generic[P]):
    """Runs one lane: consumes, prepares, hands over; starts anew from the stored offsets when something went wrong."""

    def __init__(
        self,
        lane: Lane,
        sink: Sink[P],
        stopping: threading.Event,
        connect_consumer: Callable[[], Consumer],
        state: LaneState | None = None,
    ) -> None:
        self._lane = lane
        self._sink = sink
        self._stopping = stopping
        self._state = state or LaneState()
        self._state.reads("opens its sink")
        sink.open()
        self._intake = Intake(lane.topic)
        self._writer = Writer(lane, sink, self._state)
        self._state.reads("connects to Kafka")
        self._consumer = connect_consumer()
        self._assignment = Assignment(self._consumer, lane.topic_name)
        self._generation = 0
        # They wait for a person, for the sink to be led over what a person has given up, or for Kafka to say where they
        # begin.
        self._halted: set[int] = set()
        self._next_housekeeping = 0.0
        self._came = self._size = 0
        self._asked: topicids.Asked | None = None
        self._absence = topicids.Absence()

    def run(self) -> None:
        """Until told to stop. Raises Retryable where only a new start helps."""
        try:
            self._writer.start()  # Where that gets no thread, nobody has joined the group yet.
            self._consumer.subscribe(
                [self._lane.topic_name], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
            )
            while not self._stopping.is_set():
                self._turn()
        finally:
            self._state.reads("ends")
            self._writer.end()
            self._writer.forget(SETTLE_SECONDS)
            try:
                close_quietly(self._consumer)
            finally:
                self._writer.join(SETTLE_SECONDS, self._stopping)
                self._state.owned = frozenset()

    def _turn(self) -> None:
        self._must_have_a_writer()
        if self._writer.rewind.is_set():
            self._rewind()
        self._state.reads(WAITING)
        batch = self._batch(self._consumed())
        if batch is not None:
            self._hand_over(batch)
        if time.monotonic() >= self._next_housekeeping:
            self._keep_house()

    def _consumed(self) -> list[Message]:
        """In parts: while the client makes objects of messages it lets no other thread go on, the writer neither."""
        limits = self._lane.limits
        wanted, until = next_size(limits, self._came, self._size), time.monotonic() + next_linger(limits, self._came)
        messages: list[Message] = []
        while True:
            part = min(AT_ONCE, wanted - len(messages))
            came = self._consumer.consume(part, max(0.0, until - time.monotonic()))
            messages += came
            if len(came) < part or len(messages) == wanted:
                return messages

    def _batch(self, messages: list[Message]) -> Batch | None:
        ends: dict[int, int] = {}
        # Asked of all messages by map(): a Python call for each and every one costs more than what it asks.
        errors = list(map(Message.error, messages))
        behind: set[int] = set()
        if any(error is not None for error in errors):
            told = [message for message, error in zip(messages, errors, strict=True) if error is not None]
            messages = [message for message, error in zip(messages, errors, strict=True) if error is None]
            behind = self._hear_all(told, ends, set(map(Message.partition, messages)))
        self._came, self._size = len(messages), sum(map(len, messages))
        if not messages and not ends:
            return None
        taken = self._intake.take(messages, ends)
        for partition in behind:
            if (position := self._intake.position(partition)) is not None:
                self._seek(partition, position)
        for partition, position in taken.again.items():
            log.info("%s reads partition %s again to be sure: offsets are missing", self._lane.group, partition)
            self._seek(partition, position)
        if taken.batch is not None:
            taken.batch.generation = self._generation
            now = self._lane.clock.now()
            self._lane.skew.hear(taken.appended)
            taken.batch.behind = self._lane.skew.behind(now)
            taken.batch.read_at = POSTGRES.latest() or now
        return taken.batch

    def _hear_all(self, told: list[Message], ends: dict[int, int], coming: set[int | None]) -> set[int]:
        """The partitions whose log is at fault behind messages that have come: these are stored first, then it is read
        there once more.
        """
        behind = set()
        for message in told:
            partition, error = message.partition(), message.error()
            if partition in coming and partition is not None and error is not None and fault_of(error) is not None:
                behind.add(partition)
            else:
                self._hear(message, ends)
        return behind

    def _hear(self, message: Message, ends: dict[int, int]) -> None:
        """What the client says in place of a message; where a partition ends is put into ``ends``."""
        partition, error = message.partition(), message.error()
        if error is None or partition is None or partition in self._halted:
            return
        if error.code() == KafkaError._PARTITION_EOF:
            ends[partition] = message.offset() or 0
        elif (fault := fault_of(error)) is not None:
            self._stop(partition, fault)
        elif error.fatal():
            raise Retryable(f"Kafka: {error.str()}")
        else:
            log.info("%s: Kafka says: %s", self._lane.group, error.str())

    def _stop(self, partition: int, fault: Fault) -> None:
        """Halt a partition for what is wrong with its log. What the client hands out of it from now on is not taken."""
        position = self._intake.position(partition)
        if position is None:
            return
        self._intake.forget(partition)
        if self._writer.stored.get(partition, position) != position:
            # What stands before it is on its way to the sink; once that is stored, the client will say it again.
            self._writer.rewind.set()
            return
        place = TopicPartition(self._lane.topic_name, partition, position)
        # In a topic made anew an offset is missing too; reading the start tells of it, and halts all its partitions.
        if not self._read_start(self._assignment.owned).other and not is_of_before(self._consumer, place, fault):
            self._writer.brake.halt({partition: position}, fault.cause, fault.told)
        self._writer.rewind.set()

    def _hand_over(self, batch: Batch) -> None:
        """Prepare the batch and give it to the writer; while either has to wait, stay in the group and take no more."""
        epoch = self._writer.epoch
        asked = topicids.ask(self._lane.kafka, self._lane.topic_name)
        prepared = self._prepared(batch, epoch)
        self._state.reads("waits for its writer")
        while prepared is not None and not self._is_over(epoch):
            if self._writer.offer(prepared, asked, PATIENCE_SECONDS):
                break
            self._must_have_a_writer()
            self._hold()
        self._go_on()

    def _must_have_a_writer(self) -> None:
        """Asked at each turn, for what is handed to one that has died waits for ever where nothing follows it."""
        if not self._writer.is_alive():
            raise Retryable("its writer has died")

    def _prepared(self, batch: Batch, epoch: int) -> P | None:
        self._state.reads("prepares a batch")
        once = Once(self._lane.group)
        for _ in back_off(self._stopping):
            if self._is_over(epoch):
                return None
            try:
                return self._sink.prepare(batch)
            except Retryable as error:
                self._state.reads(once.warn(f"waits: {error}"))
                self._hold()
        return None

    def _is_over(self, epoch: int) -> bool:
        """Whether what was read before is to be dropped."""
        return self._stopping.is_set() or self._writer.rewind.is_set() or epoch != self._writer.epoch

    def _hold(self) -> None:
        """Poll without taking messages, so that the group does not give the partitions away.

        What is handed out all the same is read again.
        """
        self._assignment.pause(self._assignment.owned)
        self._note_assignment()
        message = self._consumer.poll(0)
        if message is None:
            return
        ends: dict[int, int] = {}
        partition = message.partition() or 0
        if message.error() is not None:
            self._hear(message, ends)
        if message.error() is None or ends.get(partition, -1) > (self._intake.position(partition) or 0):
            self._intake.forget(partition)
            self._writer.rewind.set()

    def _go_on(self) -> None:
        if not self._writer.rewind.is_set():
            for partition in self._assignment.resume(self._assignment.owned - self._halted):
                self._intake.doubt(partition)
        self._note_assignment()

    def _note_assignment(self) -> None:
        self._state.owned = frozenset(self._assignment.owned)
        self._state.held = frozenset(self._assignment.paused)

    def _rewind(self) -> None:
        """Begin again at the stored offsets, once the sink can say what they are."""
        while self._writer.away.is_set() and not self._stopping.wait(0.05):
            self._must_have_a_writer()
            self._hold()
        self._writer.rewind.clear()
        self._writer.forget(SETTLE_SECONDS)
        start = self._start(self._assignment.owned)
        if start is not None:
            owned = self._assignment.owned & start.positions.keys()
            self._state.begin({partition: start.positions[partition].next for partition in owned})
        for partition in sorted(self._assignment.owned - self._halted):
            if start is not None and self._intake.position(partition) != start.positions[partition].next:
                self._intake.reach(partition, start.positions[partition].logged)
                self._seek(partition, start.positions[partition].next)
        for partition in self._halted:
            self._intake.forget(partition)
        self._assignment.pause(self._halted)
        self._go_on()
        if start is not None and start.given_up:
            self._lead_over(start.given_up)

    def _lead_over(self, spans: dict[int, Span]) -> None:
        """Let the sink go on behind what a person has given up; only where it stands then is read on."""
        epoch = self._writer.epoch
        self._hand_over(Batch(self._lane.topic, spans=spans, generation=self._generation))
        self._state.reads("waits for its sink to pass what was given up")
        while not self._is_over(epoch) and any(
            self._writer.stored.get(partition) != end for partition, (_, end) in spans.items()
        ):
            self._must_have_a_writer()
            self._hold()
            self._stopping.wait(0.05)
        self._writer.rewind.set()

    def _seek(self, partition: int, offset: int) -> None:
        self._intake.doubt(partition)
        try:
            self._assignment.move(partition, offset)
        except KafkaException as error:
            log.info("%s: cannot seek yet: %s", self._lane.group, error)
            self._writer.rewind.set()
            self._stopping.wait(0.05)
        else:
            self._intake.move(partition, offset)

    def _start(self, partitions: set[int]) -> Start | None:
        """Where each partition goes on; waits for the sink as long as it takes. None when told to stop meanwhile."""
        once = Once(self._lane.group)
        for _ in back_off(self._stopping):
            try:
                return self._read_start(partitions)
            except Retryable as error:
                self._state.reads(once.warn(f"waits for its offsets: {error}"))
        return None

    def _read_start(self, partitions: set[int]) -> Start:
        self._state.reads("asks for its offsets")
        start = read_start(self._lane, self._sink, partitions, self._absence)
        self._writer.brake.topic_id, self._generation = start.reading.topic_id, start.reading.generation
        if start.other:
            places = {partition: position.next for partition, position in start.positions.items()}
            self._writer.brake.halt(places, start.other.cause, start.other.told)
        halted = start.positions.keys() if start.other else start.halted
        for partition in partitions:
            telemetry.HALTED.labels(*self._lane.labels, partition).set(partition in halted)
        for partition in start.untold.keys() - self._halted:
            log.warning("%s: %s; its other partitions go on", self._lane.group, start.untold[partition])
        self._halted = {*halted, *start.given_up, *start.untold}
        return start

    def _assigned(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        gained = {place.partition for place in partitions}
        self._writer.forget(SETTLE_SECONDS)
        start = self._start(gained)
        positions = start.positions if start else {}
        offsets = {partition: position.next for partition, position in positions.items() if partition in gained}
        # One that has no position is held back before anything is taken of it.
        self._assignment.gain(dict.fromkeys(gained, 0) | offsets)
        for partition, offset in offsets.items():
            self._intake.move(partition, offset)
            self._intake.reach(partition, positions[partition].logged)
        if start is not None:
            self._writer.brake.begin(start.pasts)
            # Lag is known from now on, and not only once something was stored.
            self._writer.know(offsets)
        self._start_anew()

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        lost = {place.partition for place in partitions}
        self._writer.forget(SETTLE_SECONDS)
        self._assignment.lose(lost)
        self._start_anew()
        for partition in lost:
            self._intake.forget(partition)
            self._writer.brake.lose(partition)
            self._writer.lose(partition)

    def _start_anew(self) -> None:
        """After a change of the assignment: the client may have let go of anything that it had fetched."""
        for partition in self._assignment.owned:
            self._intake.doubt(partition)
        self._note_assignment()
        self._writer.rewind.set()

    def _keep_house(self) -> None:
        """Now and then: Kafka's copy of the offsets, whether the topic is still the same, what a person let go on."""
        self._next_housekeeping = time.monotonic() + HOUSEKEEPING_SECONDS
        topic, stored = self._lane.topic_name, self._writer.stored
        copies = [TopicPartition(topic, number, end) for number, end in stored.items()]
        if copies:
            self._consumer.commit(offsets=copies, asynchronous=True)
        self._look_at_topic()
        if self._halted and not self._writer.away.is_set():
            self._look_for_resumed()

    def _look_at_topic(self) -> None:
        """As the question of the last time was answered; nobody waits for it."""
        asked, self._asked = self._asked, topicids.ask(self._lane.kafka, self._lane.topic_name)
        if asked is None or not asked.done():
            return
        try:
            present = topicids.answer(asked)
        except Retryable:
            self._absence.forget()
            return
        self._absence.hear(present)
        if present is None:
            self._look_at_absence()
        elif present != self._writer.brake.topic_id and self._assignment.owned - self._halted:
            self._writer.rewind.set()

    def _look_at_absence(self) -> None:
        """A topic that stays away is gone; the group gives nobody its partitions, so that no start would tell of it."""
        if self._halted or self._absence.seconds <= self._lane.limits.stall or self._writer.away.is_set():
            return
        try:
            self._read_start(self._assignment.owned)
        except Retryable as error:
            log.info("%s: %s", self._lane.group, error)

    def _look_for_resumed(self) -> None:
        before = self._halted & self._assignment.owned
        start = self._start(self._assignment.owned)
        if start is not None and (resumed := (before - self._halted) | (before & start.given_up.keys())):
            self._writer.brake.begin({partition: start.pasts[partition] for partition in resumed})
            self._writer.rewind.set()
