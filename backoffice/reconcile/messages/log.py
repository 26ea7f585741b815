"""Kafka's side: the messages of a range of offsets, read with a consumer that belongs to no group."""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec

from backoffice.kernel.errors import Retryable
from backoffice.streams.kafka import offsets
from backoffice.streams.kafka.clients import admin_client, close_quietly, lone_consumer
from backoffice.streams.kafka.headers import headers_of
from backoffice.streams.kafka.offsets import Answers
from backoffice.streams.standing import appended_of, standing_of
from backoffice.streams.store.projection import Stream

CHUNK = 20_000
# Of all offsets.
LAST = 2**63 - 1
PATIENCE_SECONDS = 30.0
# An answer takes some three times this at most; a transaction of ours is silent meanwhile.
ANSWER_SECONDS = 5.0
# Where offsets are missing at the end, the client waits this long for messages that never come.
_POLL_SECONDS = 0.05

# Pairs of offsets.
Spans = tuple[tuple[int, int], ...]
# What some headers of a message say.
Said = tuple[str, ...]

_NAME = "pitboss-reconcile"
_SETTINGS = {
    "client.id": _NAME,
    "queued.max.messages.kbytes": "32768",
    # A fetch that waits for more of the last partition would hold up the first of the next.
    "fetch.wait.max.ms": "10",
    # Its log would repeat every failed connection; whoever asks tells of it.
    "log_level": "0",
}


@dataclass(frozen=True)
class Slice:
    """Offsets [start, end) of one partition that one stream has stored; ``is_new`` when no run has checked them yet.

    ``logged`` is the time (milliseconds) to which the log had come before them as far as that is known, 0 where it is
    not. ``marks`` are the offsets from which on it is known to have come further, each with the time. With
    ``is_from_the_middle`` it may have come further than either says: by messages that nobody has read. ``cuts`` are
    from where up to where the log was cut off, ``skipped`` the [start, end) that the stream was led over.
    """

    stream: Stream
    topic: str
    partition: int
    start: int
    end: int
    is_new: bool
    logged: int = 0
    generation: int = 0
    cuts: Spans = ()
    skipped: Spans = ()
    marks: tuple[tuple[int, int], ...] = ()
    is_from_the_middle: bool = False

    @property
    def cut_until(self) -> int:
        """Below it there may be rows of an end that this very log has lost."""
        return max((stored_until for _, stored_until in self.cuts), default=0)

    @property
    def former_until(self) -> int:
        """Below it there may be rows of a former topic of the name, or of an end that the log has lost."""
        return LAST if self.generation else self.cut_until

    @property
    def may_be_later(self) -> bool:
        """Whether its messages may have been logged later than is told of them. Of what is read again marks may be
        missing that nobody kept when it was read first.
        """
        return self.is_from_the_middle or not self.is_new

    def log_at(self, offset: int) -> str:
        """Which log of the topic's name has it: the first, one made anew, or what came where it was cut off."""
        times = sum(start <= offset < stored_until for start, stored_until in self.cuts)
        return f"{self.generation}/{times}" if self.generation or times else ""

    @property
    def key(self) -> tuple[str, str, int]:
        return self.stream.name, self.topic, self.partition


@dataclass
class Chunk:
    """A part of a slice with its messages, keyed by offset: (key, value).

    ``standings`` have for each when it was logged (milliseconds, never less than the one before) and at which offset; a
    dead letter that was sent again stands where it stood at first. ``times`` are their own, ``logged`` is that of the
    last message. ``told`` is when the broker took the message itself; one that was sent again when it took it at first,
    as its headers say, unless it took it again before that: then, as where nobody tells, it is 0. ``undated`` are the
    offsets of those that stand at a time which is not the broker's for them: it keeps none, or not any more.
    ``withheld`` are those of what cannot be compared, each with the kind of error. ``marks`` are the offsets from which
    on the broker's own times lie before the one to which the log had come, with that time, as far as it came there
    within the slice.
    """

    place: Slice
    start: int
    end: int
    messages: dict[int, tuple[bytes | None, bytes | None]] = field(default_factory=dict)
    standings: dict[int, tuple[int, int]] = field(default_factory=dict)
    undated: set[int] = field(default_factory=set)
    times: dict[int, int] = field(default_factory=dict)
    told: dict[int, int] = field(default_factory=dict)
    withheld: dict[int, str] = field(default_factory=dict)
    logged: int = 0
    marks: dict[int, int] = field(default_factory=dict)


class Log:
    """``alive`` is called again and again while messages are waited for and read.

    ``unread`` are partitions in which something was looked for in vain because Kafka did not tell of them, with the
    reasons.

    Raises (every method): Retryable when Kafka is away.
    """

    def __init__(self, kafka: Mapping[str, str], prefix: str, alive: Callable[[], None]) -> None:
        self._prefix, self._alive = prefix, alive
        self._kafka = dict(kafka)
        self._consumer = lone_consumer(kafka, _NAME, _SETTINGS)
        self._reading: object = None
        self._known: set[str] = set()
        self.unread: dict[tuple[str, int], str] = {}

    def __enter__(self) -> "Log":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_quietly(self._consumer)

    def bounds(self, places: Collection[tuple[str, int]]) -> dict[tuple[str, int], tuple[int, int] | str]:
        """Of each topic and partition the first offset that is still there, and the end; or why Kafka does not tell."""
        found = self._asked({topic for topic, _ in places})
        told: dict[tuple[str, int], tuple[int, int] | str] = {}
        for topic, partition in places:
            name = f"{self._prefix}{topic}"
            untold = found.missing(name, [partition]).get(partition)
            match found.told.get(name, {}).get(partition):
                case (low, high):
                    told[topic, partition] = low, high
                case _:
                    told[topic, partition] = untold or f"Kafka has no partition {partition} of {name}"
        return told

    def _asked(self, topics: Collection[str], *more: OffsetSpec) -> Answers:
        """Where their partitions begin and end, and what else is asked of them."""
        questions = OffsetSpec.earliest(), OffsetSpec.latest(), *more  # type: ignore[no-untyped-call]
        self._alive()
        try:
            return offsets.ask(
                admin_client(self._kafka), [f"{self._prefix}{topic}" for topic in topics], questions, ANSWER_SECONDS
            )
        except KafkaException as error:
            raise Retryable(f"Kafka does not say what it holds: {error.args[0].str()}") from error

    def told(
        self, topic: str, stream: Stream, names: Said, wanted: Set[Said], since: datetime
    ) -> tuple[set[Said], bool]:
        """Those of the ``wanted`` that the headers of these names say in messages of the topic, from ``since`` on; and
        whether the others are not there. Where a partition cannot be read (``unread``) nobody can say that.
        """
        name, at = f"{self._prefix}{topic}", OffsetSpec.for_timestamp(int(since.timestamp() * 1000))
        asked = self._asked([topic], at)
        found: set[Said] = set()
        for partition, (low, high, start) in sorted(asked.told.get(name, {}).items()):
            part = Slice(stream, topic, partition, high if start < 0 else max(low, start), high, is_new=False)
            found |= self._told_of(part, names, wanted - found)
        untold = asked.missing(name, [0])
        if not untold or wanted <= found:
            return found, True
        self.unread |= {(topic, partition): why for partition, why in untold.items()}
        return found, False

    def _told_of(self, part: Slice, names: Said, wanted: Set[Said]) -> set[Said]:
        """Of one partition; it is read until all of them were told."""
        found: set[Said] = set()
        if not wanted:
            return found
        # As bytes: whoever may write to the topic can put any headers there.
        sought = {tuple(said_part.encode() for said_part in said): said for said in wanted}
        for _, message in self._messages(part):
            headers = dict(headers_of([message])[0])
            said = tuple(headers.get(name) or b"" for name in names)
            if said in sought:
                found.add(sought[said])
            if found == wanted:
                break
        return found

    def chunks(self, place: Slice) -> Iterator[Chunk]:
        """The slice in parts of at most ``CHUNK`` offsets; gaps (compaction, transactions) are part of them."""
        at, logged, marked = place.start, place.logged, 0
        marks = deque(sorted(place.marks))
        messages = self._messages(place)
        following = next(messages, None)
        while at < place.end:
            chunk = Chunk(place, at, min(at + CHUNK, place.end))
            while following is not None and following[0] < chunk.end:
                offset, message = following
                chunk.messages[offset] = (message.key(), message.value())
                appended = _logged(message)
                while marks and marks[0][0] <= offset:
                    logged = max(logged, marks.popleft()[1])
                if marked < logged > appended:
                    chunk.marks[offset] = marked = logged
                # What the stream was led over it has not heard of.
                if not any(start <= offset < end for start, end in place.skipped):
                    logged = max(logged, appended)
                own, chunk.times[offset] = (logged, offset), logged
                (headers,) = headers_of([message])
                first = standing_of(headers, own)
                chunk.standings[offset] = first or own
                told = appended_of(headers, first) if first else appended
                chunk.told[offset] = told if told <= appended else 0
                if not (first[0] if first else appended):
                    chunk.undated.add(offset)
                following = next(messages, None)
            chunk.logged = logged
            yield chunk
            at = chunk.end

    def _messages(self, place: Slice) -> Iterator[tuple[int, Message]]:
        """Messages and their offsets. Others may be read in between, by the same consumer."""
        if place.start >= place.end:
            # To be told to begin behind the end of a log is an error for the client, though nobody reads on.
            return
        name, mine = f"{self._prefix}{place.topic}", object()
        at = following = place.start
        deadline = time.monotonic() + PATIENCE_SECONDS
        while following < place.end:
            if self._reading is not mine:
                self._know(name)
                self._consumer.assign([TopicPartition(name, place.partition, following)])
                self._reading, deadline = mine, time.monotonic() + PATIENCE_SECONDS
            self._alive()
            for message in self._consumer.consume(min(10_000, place.end - following), _POLL_SECONDS):
                if (message.topic(), message.partition()) != (name, place.partition):
                    continue
                error = message.error()
                if error is not None:
                    if _is_end(error, message):
                        return
                    continue
                offset = int(message.offset() or 0)
                if offset >= place.end:
                    return
                following = offset + 1
                yield offset, message
            if following > at:
                at, deadline = following, time.monotonic() + PATIENCE_SECONDS
            elif time.monotonic() > deadline:
                raise Retryable(
                    f"Kafka gives no message of {place.topic}[{place.partition}] from offset {following} on."
                )

    def _know(self, name: str) -> None:
        """Have the client ask who leads the topic: by itself it looks for that once a second."""
        if name not in self._known:
            self._known.add(name)
            with suppress(KafkaException):
                self._consumer.list_topics(name, timeout=ANSWER_SECONDS)


def _logged(message: Message) -> int:
    """When the broker took the message; 0 where its log does not keep that."""
    kind, at = message.timestamp()
    return int(at) if kind == TIMESTAMP_LOG_APPEND_TIME else 0


def _is_end(error: KafkaError, message: Message) -> bool:
    """Whether this says that the partition ends here. What passes by itself only makes us wait."""
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    if error.retriable() or error.code() in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE):
        return False
    raise Retryable(f"Kafka cannot be read: {message.topic()}[{message.partition()}]: {error.str()}")
