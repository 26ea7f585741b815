"""Where a lane goes on: its offsets, whether they still belong to the topic, and what is halted."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from backoffice.kernel.errors import Retryable

from ..database import Connection, connect, retryable
from ..kafka import topicids
from . import halts
from .halts import Past
from .lane import Lane
from .sink import P, Position, Sink


@dataclass(frozen=True)
class Start:
    """``positions`` of all partitions that the stream has ever begun, ``pasts`` of those that were asked for.

    ``topic_id`` is that of the topic which the offsets belong to. Where the cluster has another topic of that name now,
    nothing may be stored, and ``other`` says what has happened and what can be done.
    """

    positions: dict[int, Position]
    halted: frozenset[int]
    pasts: dict[int, Past]
    topic_id: str
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
        known = _topic_id(connection, lane, present, lane.clock.now())
        halted = frozenset(halts.open_halts(connection, lane.stream, lane.topic))
    positions = sink.positions(partitions, first)
    with retryable(), connect() as connection:
        wanted = {partition: positions[partition].next for partition in partitions}
        pasts = halts.pasts(connection, lane.stream, lane.topic, wanted, lane.limits.dead_letter_window)
    return Start(positions, halted, pasts, known, "" if known == present else _made_anew(lane, known, present))


def _topic_id(connection: Connection, lane: Lane, present: str, now: datetime) -> str:
    """The id of the topic that the stream's offsets belong to; of a stream that begins, the present one."""
    connection.execute(
        "INSERT INTO streams_reading (stream, topic, topic_id, generation, begun_at) VALUES (%s, %s, %s, 0, %s)"
        " ON CONFLICT DO NOTHING",
        [lane.stream, lane.topic, present, now],
    )
    row = connection.execute(
        "SELECT topic_id FROM streams_reading WHERE stream = %s AND topic = %s", [lane.stream, lane.topic]
    ).fetchone()
    return str(row[0]) if row else present


def _made_anew(lane: Lane, known: str, present: str) -> str:
    return (
        f"{lane.topic_name} was deleted and made anew: its id is {present} and the offsets belong to {known}. What the "
        f"former topic held and was not stored is lost; the new one is stored from its beginning after "
        f"`streams adopt {lane.stream} {lane.topic} --reason …`."
    )
