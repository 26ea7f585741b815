"""Which topics a table is made of, and what of them is there to make it anew."""

from collections.abc import Iterator
from dataclasses import dataclass

from backoffice.contracts.catalogue import TOPICS
from backoffice.kernel.errors import Rejected

from ..database import Connection
from ..kafka import topicids
from ..kafka.logs import read_log
from ..store.projection import STREAMS, Effect, Stream

# A stream, its topic and one of its partitions.
Place = tuple[str, str, int]

# A gap that ends where it begins: the log was cut off before what is stored, and goes on from there.
_READING = (
    "SELECT topic_id, generation, EXISTS (SELECT FROM streams_gap g WHERE (g.stream, g.topic, g.generation)"
    '  = (r.stream, r.topic, r.generation) AND g."end" <= g.start) FROM streams_reading r'
    " WHERE stream = %s AND topic = %s"
)
_GAPS = (
    'SELECT start, "end" FROM streams_gap g JOIN streams_reading r USING (stream, topic, generation)'
    ' WHERE (stream, topic, partition) = (%s, %s, %s) AND "end" > %s AND start < %s ORDER BY start'
)


@dataclass(frozen=True)
class Source:
    """A stream and one of its topics that feed a table."""

    stream: Stream
    topic: str


@dataclass(frozen=True)
class Origin:
    """The topic that a stream's offsets belong to; ``is_cut`` where its log ended once before what is stored."""

    stream: str
    topic: str
    topic_id: str
    generation: int
    is_cut: bool


def sources_of(table: str) -> list[Source]:
    """Every stream and topic with a projection into the table.

    Raises:
        Rejected: there is none.
    """
    found = [
        Source(stream, topic.name)
        for stream in STREAMS.values()
        for topic in TOPICS.values()
        if any(p.table == table for record in topic.records if record in stream.records() for p in stream.of(record))
    ]
    if not found:
        tables = sorted({p.table for s in STREAMS.values() for r in s.records() for p in s.of(r)})
        raise Rejected(f"No projection writes {table}; there are {', '.join(tables)}.")
    return found


def operations_on(table: str) -> set[str]:
    """What projections do to the rows of a table: INSERT, UPDATE, DELETE."""
    effects = {p.effect for stream in STREAMS.values() for p in stream.projections if p.table == table}
    is_merged = bool(effects & {Effect.NEWEST, Effect.ADD})
    is_deleted = any(table in deletion.tables for stream in STREAMS.values() for deletion in stream.deletions)
    return {"INSERT"} | ({"UPDATE"} if is_merged else set()) | ({"DELETE"} if is_deleted else set())


def origins_of(connection: Connection, sources: list[Source], kafka: dict[str, str], prefix: str) -> list[Origin]:
    """Where each source comes from by now.

    Raises:
        Rejected: a topic is not there, or another one than its stream's offsets belong to.
        Retryable: Kafka does not answer.
    """
    found = []
    for stream, topic in sorted((source.stream.name, source.topic) for source in sources):
        present = topicids.answer(topicids.ask(kafka, f"{prefix}{topic}"))
        reading = connection.execute(_READING, [stream, topic]).fetchone()
        origin = Origin(stream, topic, *reading) if reading else Origin(stream, topic, present or "", 0, False)
        if present is None or origin.topic_id != present:
            raise Rejected(
                f"{topic} was deleted or made anew, and {stream} still stands in the former one; `streams status` shows"
                " the way on. No table was changed."
            )
        found.append(origin)
    return found


def incomplete(origins: list[Origin], kafka: dict[str, str], prefix: str) -> dict[str, str]:
    """The topics that no longer hold all that was stored from them, each with what became of the rest.

    Raises:
        Rejected: of some partition that is not told now.
        Retryable: Kafka does not answer.
    """
    found: dict[str, str] = {}
    for origin in origins:
        log = read_log(kafka, f"{prefix}{origin.topic}")
        log.must_be_whole()
        if any(log.begins.values()):
            found[origin.topic] = "its first messages are gone"
        elif origin.generation:
            found[origin.topic] = "it was deleted and made anew"
        elif origin.is_cut:
            found[origin.topic] = "its log was cut off"
    return found


def stretches(connection: Connection, place: Place, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The offsets in [start, end) without those that a person had the stream skip."""
    for begin, behind in connection.execute(_GAPS, [*place, start, end]).fetchall():
        if begin > start:
            yield start, begin
        start = max(start, behind)
    if start < end:
        yield start, end
