"""Where a lane goes on: its offsets, whether they still belong to the topic, and what is halted."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from backoffice.contracts.catalogue import TOPICS
from backoffice.kernel.errors import Retryable

from ..database import Connection
from ..kafka import topicids
from ..kafka.logs import read_begins
from ..kafka.topicids import Absence
from ..sessions import session
from .batch import Span
from .growing import note_partitions
from .halting import halts, passing
from .halting.faults import Fault
from .halting.halts import Cause, Past
from .lane import Lane
from .sink import P, Position, Sink

# The lane waits meanwhile with all its partitions.
ANSWER_SECONDS = 2.0


@dataclass(frozen=True)
class Reading:
    """The topic that the stream's offsets belong to, and how often a person has let it go over to one made anew."""

    topic_id: str
    generation: int


@dataclass(frozen=True)
class Start:
    """``positions`` of all partitions that the stream has ever begun, ``pasts`` of those that were asked for.

    ``reading`` tells of the topic which the offsets belong to. Where the cluster has another topic of that name now, or
    none any more, nothing may be stored, and ``other`` says what has happened and what can be done. Else ``given_up``
    says over which offsets the sink has to be led before a partition goes on. ``untold`` are those that are new to the
    stream and of which Kafka does not say where they begin, each with the reason; they have no position yet.
    """

    positions: dict[int, Position]
    halted: frozenset[int]
    given_up: dict[int, Span]
    pasts: dict[int, Past]
    reading: Reading
    other: Fault | None
    untold: dict[int, str]


def read_start(lane: Lane, sink: Sink[P], partitions: Collection[int], absence: Absence) -> Start:
    """Where the partitions go on; one that is new to the stream does at the beginning of its log.

    ``absence`` tells for how long the topic has not been there, and hears of it.

    Raises:
        Retryable: Kafka, Postgres or the sink is away; or the topic, and not for so long that it must be gone.
    """
    found = _present(lane, absence)
    present = found and found[0]
    first: Callable[[int], int] = _Beginnings(lane) if present else _nowhere
    with session(lane.session) as connection:
        reading = _reading(connection, lane, present, lane.clock.now())
        if found and TOPICS[lane.topic].compacted and found[0] == reading.topic_id:
            note_partitions(connection, lane.stream, lane.topic, found[1], lane.clock.now())
        halted = frozenset(halts.open_halts(connection, lane.stream, lane.topic))
        if reading.generation and present:
            first = _begins(connection, lane, reading.generation)
    positions, untold = _positions(sink, partitions, first, reading.generation)
    other = None if reading.topic_id == present else _other(lane, reading.topic_id, present)
    wanted = {partition: positions[partition].next for partition in set(partitions) - untold.keys()}
    with session(lane.session) as connection:
        going = {} if other else {partition: at for partition, at in wanted.items() if partition not in halted}
        given_up = passing.given_up(connection, lane.stream, lane.topic, going)
        pasts = halts.pasts(connection, lane.stream, lane.topic, wanted, lane.limits.dead_letter_window)
    return Start(positions, halted, given_up, pasts, reading, other, untold)


class _Untold(Retryable):
    """Kafka answers, and does not say where this partition begins."""


class _Beginnings:
    """Where the partitions of the topic begin, by the log; Kafka is asked once, and only if somebody wants to know."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._told: dict[int, int | str] = {}

    def __call__(self, partition: int) -> int:
        self._told = self._told or read_begins(self._lane.kafka, self._lane.topic_name, ANSWER_SECONDS)
        begin = self._told.get(partition, f"partition {partition} of {self._lane.topic_name} is not told of by Kafka")
        if isinstance(begin, str):
            raise _Untold(begin)
        return begin


def _positions(
    sink: Sink[P], partitions: Collection[int], first: Callable[[int], int], generation: int
) -> tuple[dict[int, Position], dict[int, str]]:
    """What the sink says of all partitions but those of which Kafka does not say where they begin, and why not."""
    untold: dict[int, str] = {}

    def begin(partition: int) -> int:
        try:
            return first(partition)
        except _Untold as reason:
            untold[partition] = str(reason)
            raise

    while True:
        try:
            return sink.positions(set(partitions) - untold.keys(), begin, generation), untold
        except _Untold:
            # Without this one; the next may be another.
            continue


def _present(lane: Lane, absence: Absence) -> tuple[str, int] | None:
    """The id of the topic that is there, and the number of its partitions; None once there has been none for as long as
    a lane may stand still.
    """
    try:
        present = topicids.described(topicids.ask(lane.kafka, lane.topic_name))
    except Retryable:
        absence.forget()
        raise
    absence.hear(present and present[0])
    if present is None and absence.seconds <= lane.limits.stall:
        raise Retryable(_not_there(lane))
    return present


def _reading(connection: Connection, lane: Lane, present: str | None, now: datetime) -> Reading:
    """What the stream's offsets belong to; of a stream that begins, the present topic.

    Raises:
        Retryable: it has not begun, for its topic was not made yet.
    """
    if present is not None:
        connection.execute(
            "INSERT INTO streams_reading (stream, topic, topic_id, generation, begun_at) VALUES (%s, %s, %s, 0, %s)"
            " ON CONFLICT DO NOTHING",
            [lane.stream, lane.topic, present, now],
        )
    row = connection.execute(
        "SELECT topic_id, generation FROM streams_reading WHERE stream = %s AND topic = %s", [lane.stream, lane.topic]
    ).fetchone()
    if row is None:
        raise Retryable(_not_there(lane))
    return Reading(str(row[0]), row[1])


def _begins(connection: Connection, lane: Lane, generation: int) -> Callable[[int], int]:
    """Where the partitions of a topic made anew began when a person let the stream go over to it.

    What Kafka has removed since then would be lost without a word if its present beginning were taken.
    """
    rows = connection.execute(
        'SELECT partition, "end" FROM streams_gap WHERE (stream, topic, generation, start) = (%s, %s, %s, 0)'
        ' AND "end" IS NOT NULL ORDER BY id',
        [lane.stream, lane.topic, generation],
    ).fetchall()
    begins: dict[int, int] = dict(rows)
    return lambda partition: begins.get(partition, 0)


def _nowhere(_: int) -> int:
    """Where a partition begins of a topic that is gone: nothing of it was ever read."""
    return 0


def _not_there(lane: Lane) -> str:
    return f"Kafka has no topic {lane.topic_name} now; `manage.py topics --apply` makes it."


def _other(lane: Lane, known: str, present: str | None) -> Fault:
    """What has become of the topic that the offsets belong to."""
    lost = "What the former topic held and was not stored is lost"
    anew = f"the new one is stored from its beginning after `streams adopt {lane.stream} {lane.topic} --reason …`."
    if present is None:
        return Fault(
            Cause.GONE_TOPIC,
            f"{lane.topic_name} was deleted: Kafka has had no topic of that name for {lane.limits.stall:.0f} s and "
            f"longer, and the offsets belong to {known}. {lost}, and so is what is sent while there is none. "
            f"`manage.py topics --apply` makes it anew; {anew}",
        )
    return Fault(
        Cause.OTHER_TOPIC,
        f"{lane.topic_name} was deleted and made anew: its id is {present} and the offsets belong to {known}. {lost}; "
        f"{anew}",
    )
