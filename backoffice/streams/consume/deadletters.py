"""Dead letters into their table, and a copy of each to its dead-letter topic through the outbox: for any sink."""

from datetime import datetime

from backoffice.contracts.catalogue import dead_letter_topic

from ..database import Connection
from ..deadletters.copies import copy_of
from ..outbox.emitting import emit_bytes
from .batch import Batch, DeadLetter

_LETTER = (
    'INSERT INTO streams_deadletter (stream, topic, generation, partition, "offset", record, schema_id, reason,'
    " key, value, logged, standing_appended, standing_logged, standing_offset, died_at, state)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'open')"
    ' ON CONFLICT (stream, topic, generation, partition, "offset") DO NOTHING'
)
_THE_SAME = (
    'SELECT FROM streams_deadletter WHERE (stream, topic, generation, partition, "offset") = (%s, %s, %s, %s, %s)'
    " AND value IS NOT DISTINCT FROM %s"
)


class Taken(Exception):  # noqa: N818 - named for what is the matter
    """Another message stands in the dead letters at the place of this one: it would be lost."""


def store_dead(connection: Connection, stream: str, batch: Batch, now: datetime) -> None:
    """The dead letters of a batch with their messages, all or none of them.

    A sink whose offsets are not in this database does this before it moves them: what was told already, by a worker
    that died in between, is not told again.

    Raises:
        Taken: nothing was stored.
    """
    if not batch.dead:
        return
    with connection.transaction():
        for row, dead in sorted(batch.dead.items()):
            if _is_new(connection, stream, batch, row, dead, now):
                _send_copy(connection, stream, batch, row, dead, now)


def _is_new(connection: Connection, stream: str, batch: Batch, row: int, dead: DeadLetter, now: datetime) -> bool:
    place = [stream, batch.topic, batch.generation, batch.partitions[row], batch.offsets[row]]
    key, value = batch.keys[row], batch.values[row]
    told = [dead.record, dead.schema_id, dead.reason, key, value]
    times = [batch.logged[row], batch.appended_at_first(row), *batch.standing(row), now]
    if connection.execute(_LETTER, [*place, *told, *times]).rowcount:
        return True
    if not connection.execute(_THE_SAME, [*place, value]).fetchall():
        raise Taken(
            f"Another message stands in the dead letters of {stream} at {batch.topic}[{batch.partitions[row]}]@"
            f"{batch.offsets[row]}: the log was cut off and written anew there. A skip gives this one up."
        )
    return False


def _send_copy(connection: Connection, stream: str, batch: Batch, row: int, dead: DeadLetter, now: datetime) -> None:
    position = (batch.topic, str(batch.partitions[row]), str(batch.offsets[row]))
    headers = dict(zip(("topic", "partition", "offset"), position, strict=True))
    headers |= {"stream": stream, "reason": dead.reason, "schema_id": str(dead.schema_id or "")}
    copy = copy_of(batch.keys[row], batch.values[row])
    topic, told = dead_letter_topic(batch.topic), headers | copy.headers
    emit_bytes(topic, key=copy.key, value=copy.value, headers=told, now=now, over=connection)
