"""Going on behind what a person has given up, with a sink that keeps its offsets elsewhere than in the tables.

The tables' offsets are moved by the skip itself. Any other sink is led over the gap as over every hole in a log, by a
batch without messages, and nothing else of the partition is read before it is there. ``streams_gap.followed`` says that
it was: a gap is passed once, for offsets behind a log that was cut off come again.
"""

from collections.abc import Mapping

from ...database import Connection
from ..batch import Span

_OF_THE_PLACE = (
    "(g.stream, g.topic, g.partition) = (%(stream)s, %(topic)s, at.partition) AND NOT g.followed AND g.generation ="
    " coalesce((SELECT generation FROM streams_reading r WHERE (r.stream, r.topic) = (%(stream)s, %(topic)s)), 0)"
)
# Of a gap ``g`` and a place ``at``: within it, or behind the end of a log that was cut off.
IS_AHEAD = (
    f'{_OF_THE_PLACE} AND (g.start <= at.place AND at.place < g."end" OR g.start = g."end" AND at.place > g."end")'
)
_HAS_FOLLOWED = f'{_OF_THE_PLACE} AND (at.place = g."end" OR g.start < g."end" AND at.place > g."end")'
_PLACES = "unnest(%(partitions)s::smallint[], %(places)s::bigint[]) AS at (partition, place)"
_NOTE = f"UPDATE streams_gap g SET followed = true FROM {_PLACES} WHERE {_HAS_FOLLOWED}"  # noqa: S608 - of literals
_AHEAD = f'SELECT at.partition, g."end" FROM streams_gap g JOIN {_PLACES} ON {IS_AHEAD} ORDER BY g.id'  # noqa: S608


def given_up(connection: Connection, stream: str, topic: str, following: Mapping[int, int]) -> dict[int, Span]:
    """Of the partitions whose next offset is given up, from where to where their sink has to go.

    Those whose sink is there already are noted as followed.
    """
    told = {"stream": stream, "topic": topic, "partitions": list(following), "places": list(following.values())}
    connection.execute(_NOTE, told)
    rows = connection.execute(_AHEAD, told).fetchall()
    return {number: (following[number], end) for number, end in rows}
