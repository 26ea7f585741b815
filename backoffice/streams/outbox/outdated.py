"""Tombstones that are out of date before they are sent: what their key names was told anew meanwhile.

To streams and rebuilds such a one does no harm, as it takes back only what it was about. But compaction keeps the last
message of a key, and that would be the tombstone.
"""

from collections.abc import Sequence
from datetime import datetime

from psycopg import sql

from backoffice.kernel.clock import at_milliseconds, milliseconds

from ..database import Connection
from ..deletions import DELETIONS, Deletion
from ..standing import Standing, standing_of
from .waiting import Waiting

# Any place in a log is before this one.
_LAST = (2**63 - 1, 2**63 - 1)
_DISCARD = (
    "UPDATE streams_outbox SET discarded_at = %s, discarded_by = 'outbox', discard_reason = %s,"
    # Only what was held is discarded, so that nobody who looks for what is ready comes by it.
    " held_since = coalesce(held_since, %s),"
    # So that, as where a person discards it, what waits behind it goes on with the next round.
    " next_attempt_at = CASE WHEN next_attempt_at IS NOT NULL THEN %s END WHERE id = ANY(%s)"
)
WHY = "What its key names was told anew after it was written; that stays."


def current(connection: Connection, rows: list[Waiting], now: datetime) -> list[Waiting]:
    """Those of the messages that are still to be sent; tombstones that are out of date are discarded."""
    if outdated := _outdated(connection, rows):
        connection.execute(_DISCARD, [now, WHY, now, now, sorted(outdated)])
    return [row for row in rows if row.id not in outdated]


def told_since(connection: Connection, topic: str, seen: Sequence[tuple[str, Standing]]) -> dict[int, Standing]:
    """Of keys, each with a place that was seen, which (by number) have something newer in the tables, and where."""
    keys, places = [key for key, _ in seen], [place for _, place in seen]
    given = [keys, [at_milliseconds(at) for at, _ in places], [offset for _, offset in places]]
    found: dict[int, Standing] = {}
    for query in (
        [_newer(deletion, table) for deletion in DELETIONS[topic] for table in deletion.tables] if seen else ()
    ):
        for number, at, offset in connection.execute(query, given):
            place = milliseconds(at), offset
            found[number] = max(place, found.get(number, place))
    return found


def _outdated(connection: Connection, rows: Sequence[Waiting]) -> set[int]:
    found: set[int] = set()
    for topic in {row.topic for row in rows if row.value is None} & DELETIONS.keys():
        told = [
            (row.id, (row.key or b"").decode(errors="replace"), place)
            for row in rows
            if row.topic == topic and row.value is None and (place := standing_of(row.headers.items(), _LAST))
        ]
        found |= {told[number][0] for number in told_since(connection, topic, [(k, place) for _, k, place in told])}
    return found


def _newer(deletion: Deletion, table: str) -> sql.Composed:
    return sql.SQL(
        "SELECT number - 1, r.{at}, r.{offset} FROM unnest(%s::text[], %s::timestamptz[], %s::bigint[])"
        ' WITH ORDINALITY AS given (key, logged_at, "offset", number)'
        ' JOIN {table} r ON r.{by} = given.key AND (r.{at}, r.{offset}) > (given.logged_at, given."offset")'
    ).format(
        table=sql.Identifier(table), by=sql.Identifier(deletion.by),
        at=sql.Identifier(deletion.standing[0]), offset=sql.Identifier(deletion.standing[1]),
    )  # fmt: skip
