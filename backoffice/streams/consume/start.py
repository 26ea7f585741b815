"""Where a lane goes on: its offsets, whether they still belong to the topic, and what is halted."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from backoffice.kernel.errors import Retryable

from ..database import Connection, connect, retryable
from ..kafka import topicids
from . import halts, passing
from .batch import Span
from .halts import Past
from .lane import Lane
from .sink import P, Position, Sink


@dataclass(frozen=True)
class Reading:
    """The topic that the stream's offsets belong to, and how often a person has let it go over to one made anew."""

    topic_id: str
    generation: int


@dataclass(frozen=True)
class Start:
    """``positions`` of all partitions that the stream has ever begun, ``pasts`` of those that were asked for.

    ``reading`` tells of the topic which the offsets belong to. Where the cluster has another topic of that name now,
    nothing may be stored, and ``other`` says what has happened and what can be done. Else ``given_up`` says over which
    offsets the sink has to be led before a partition goes on.
    """

    positions: dict[int, Position]
    halted: frozenset[int]
    given_up: dict[int, Span]
    pasts: dict[int, Past]
    reading: Reading
    other: str


def read_start(lane: Lane, sink: Sink[P], partitions: Collection[int], first: Callable[[int], int]) -> Start:
    """Where the partitions go on; of one that is new to the stream, ``first`` says where it begins.

    Raises:
        Retryable: Kafka, Postgres or the sink is away.
    """
    present = topicids.answer(topicids.ask(lane.kafka, lane.topic_name))
    if present is None:
        raise Retryable(f"Kafka has no topic {lane.topic_name} now; `manage.py topics` makes it.")
    with retryable(), connect() as connection:
        reading = _reading(connection, lane, present, lane.clock.now())
        halted = frozenset(halts.open_halts(connection, lane.stream, lane.topic))
        if reading.generation:
            first = _begins(connection, lane, reading.generation)
    positions = sink.positions(partitions, first, reading.generation)
    other = "" if reading.topic_id == present else _made_anew(lane, reading.topic_id, present)
    wanted = {partition: positions[partition].next for partition in partitions}
    with retryable(), connect() as connection:
        going = {} if other else {partition: at for partition, at in wanted.items() if partition not in halted}
        given_up = passing.given_up(connection, lane.stream, lane.topic, going)
        pasts = halts.pasts(connection, lane.stream, lane.topic, wanted, lane.limits.dead_letter_window)
    return Start(positions, halted, given_up, pasts, reading, other)


def _reading(connection: Connection, lane: Lane, present: str, now: datetime) -> Reading:
    """What the stream's offsets belong to; of a stream that begins, the present topic."""
    connection.execute(
        "INSERT INTO streams_reading (stream, topic, topic_id, generation, begun_at) VALUES (%s, %s, %s, 0, %s)"
        " ON CONFLICT DO NOTHING",
        [lane.stream, lane.topic, present, now],
    )
    row = connection.execute(
        "SELECT topic_id, generation FROM streams_reading WHERE stream = %s AND topic = %s", [lane.stream, lane.topic]
    ).fetchone()
    return Reading(str(row[0]), int(str(row[1]))) if row else Reading(present, 0)


def _begins(connection: Connection, lane: Lane, generation: int) -> Callable[[int], int]:
    """Where the partitions of a topic made anew began when a person let the stream go over to it.

    What Kafka has removed since then would be lost without a word if its present beginning were taken.
    """
    rows = connection.execute(
        'SELECT partition, "end" FROM streams_gap WHERE (stream, topic, generation, start) = (%s, %s, %s, 0)'
        ' AND "end" IS NOT NULL ORDER BY id',
        [lane.stream, lane.topic, generation],
    ).fetchall()
    begins = {int(str(partition)): int(str(end)) for partition, end in rows}
    return lambda partition: begins.get(partition, 0)


def _made_anew(lane: Lane, known: str, present: str) -> str:
    return (
        f"{lane.topic_name} was deleted and made anew: its id is {present} and the offsets belong to {known}. What the "
        f"former topic held and was not stored is lost; the new one is stored from its beginning after "
        f"`streams adopt {lane.stream} {lane.topic} --reason …`."
    )
