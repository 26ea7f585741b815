"""What waits in the outbox, and what becomes of it: the statements of the relay.

A message is ready until it cannot be sent; then it is held, and all of its key behind it. The first held message of a
key has the time of the next attempt. Nothing looks at those behind it but by the index of their key, however many wait.
Where the reason lies in its topic, all of that is held behind one message, and is ready again once that was sent.
Only the relay changes this; a person (handling.py) only marks a held message, and leaves the rest to the relay.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from psycopg import sql

from ..database import Connection

# So many messages, and so many bytes of them, are in memory at once; one message is always taken, however large.
BATCH = 2_500
BATCH_BYTES = 16_000_000
# Keys of which the first held message is tried again in one round.
HEADS = 100

_SIZE = sql.SQL("coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0) AS size")
_HELD = sql.SQL("sent_at IS NULL AND discarded_at IS NULL AND held_since IS NOT NULL")
_HELD_TOPICS = sql.SQL("SELECT topic FROM streams_outbox WHERE holds_topic")
# No pause is longer than the longest: an attempt that is still further away was set by a clock that was ahead.
_DUE = sql.SQL("(next_attempt_at <= %s OR next_attempt_at > %s)")
_RELEASED = sql.SQL(
    "SELECT id, key_hash, topic, holds_topic FROM streams_outbox WHERE {due} AND discarded_at IS NOT NULL"
).format(due=_DUE)
_OLDEST = sql.SQL(
    "SELECT position, id, size, first.is_held IS NOT NULL OR topic IN ({held_topics}) FROM ("
    " SELECT position, id, topic, key_hash, {size} FROM streams_outbox"
    "  WHERE sent_at IS NULL AND held_since IS NULL AND position IS NOT NULL ORDER BY position, id LIMIT %s) AS w"
    # In order, so that the planner has to look each key up, and does not read all that is held to find none.
    " LEFT JOIN LATERAL (SELECT true AS is_held FROM streams_outbox WHERE key_hash = w.key_hash AND {held}"
    "  ORDER BY position, id LIMIT 1) AS first ON true"
).format(held=_HELD, held_topics=_HELD_TOPICS, size=_SIZE)
_HEADS = sql.SQL(
    "SELECT position, id, {size}, key_hash, attempts FROM streams_outbox"
    " WHERE {due} AND discarded_at IS NULL AND (holds_topic OR topic NOT IN ({held_topics}))"
    " ORDER BY next_attempt_at LIMIT %s"
).format(due=_DUE, held_topics=_HELD_TOPICS, size=_SIZE)
_FIRST_OF_KEYS = sql.SQL(
    "SELECT position, id, size FROM unnest(%s::bigint[]) AS k (wanted), LATERAL (SELECT position, id, {size}"
    " FROM streams_outbox WHERE key_hash = k.wanted AND {held} ORDER BY position, id LIMIT %s) AS first"
).format(held=_HELD, size=_SIZE)
_FETCH = sql.SQL(
    "SELECT id, topic, key, value, record, schema_version, headers, key_hash, attempts, held_since IS NOT NULL,"
    " holds_topic"
    " FROM streams_outbox WHERE id = ANY(%s) AND sent_at IS NULL AND discarded_at IS NULL ORDER BY position, id {lock}"
)

# What is still to be sent and was not fetched is locked by somebody else.
_KEYS_OF = (
    "SELECT DISTINCT key_hash FROM streams_outbox WHERE id = ANY(%s) AND sent_at IS NULL AND discarded_at IS NULL"
)

# The first of a topic that waits for nothing but that: what waits for a time of its own is passed over, with its key.
_FIRST_OF_TOPIC = sql.SQL(
    "SELECT id FROM streams_outbox AS o WHERE topic = %s AND {held} AND next_attempt_at IS NULL"
    " AND NOT EXISTS (SELECT FROM streams_outbox AS h WHERE h.key_hash = o.key_hash AND h.next_attempt_at IS NOT NULL"
    "  AND h.discarded_at IS NULL) ORDER BY position, id LIMIT 1"
).format(held=_HELD)
# Locked in the order in which those lock that discard many.
_FREE_TOPIC = sql.SQL(
    "WITH freed AS (SELECT id FROM streams_outbox WHERE topic = %s AND {held} ORDER BY position, id FOR UPDATE)"
    " UPDATE streams_outbox AS o SET held_since = NULL, next_attempt_at = NULL FROM freed WHERE o.id = freed.id"
).format(held=_HELD)
# Those that somebody is just discarding are passed over: who waits here has messages locked himself. Nobody tries them
# while their topic is held.
_ABSORB = (
    "UPDATE streams_outbox SET next_attempt_at = NULL WHERE id = ANY(ARRAY(SELECT id FROM streams_outbox"
    " WHERE next_attempt_at IS NOT NULL AND discarded_at IS NULL AND topic = %s AND NOT holds_topic"
    " FOR UPDATE SKIP LOCKED))"
)

# For each message its position, id and size in bytes.
_Sizes = list[tuple[int, int, int]]


@dataclass(frozen=True)
class Waiting:
    """A message that is to be sent; ``attempts`` are those that failed."""

    id: int
    topic: str
    key: bytes | None
    value: bytes | None
    record: str
    schema_version: int | None
    headers: Mapping[str, str]
    key_hash: int
    attempts: int
    is_held: bool
    holds_topic: bool


def ready(connection: Connection, now: datetime) -> tuple[list[Waiting], int]:
    """The oldest messages that can be sent, and how many were found behind a held one of their key and are held now.

    What somebody else has locked is passed over with its key: sent now, it could not be noted, and all that is sent
    with it would be sent again and again.
    """
    oldest = connection.execute(_OLDEST, [BATCH]).fetchall()
    behind = [number for _, number, _, is_behind in oldest if is_behind]
    hold(connection, behind, now)
    free = [tuple(sizes) for *sizes, is_behind in oldest if not is_behind]
    return _fetched(connection, cast(_Sizes, free), lock=True), len(behind)


def due(connection: Connection, now: datetime, longest: timedelta) -> list[Waiting]:
    """Held messages whose time has come (the pause before it is the ``longest`` at most), locked for the open
    transaction.

    Of a key whose first message failed before it is that alone; of one whose turn it is, the first and many behind it.
    A key of which somebody else has a message locked has its turn later: nobody else's messages wait for that.
    """
    heads = connection.execute(_HEADS, [now, now + longest, HEADS]).fetchall()
    alone = [tuple(sizes) for *sizes, _, attempts in heads if attempts]
    keys = [key_hash for *_, key_hash, attempts in heads if not attempts]
    following = connection.execute(_FIRST_OF_KEYS, [keys, BATCH]).fetchall()
    return _fetched(connection, cast(_Sizes, [*following, *alone]), lock=True)


def release(connection: Connection, now: datetime, longest: timedelta) -> None:
    """Let go on what was behind a first message that a person has discarded, and topics whose first one was sent."""
    found = connection.execute(_RELEASED, [now, now + longest]).fetchall()
    if of_keys := [(number, key_hash) for number, key_hash, _, holds_topic in found if not holds_topic]:
        numbers, key_hashes = zip(*of_keys, strict=True)
        connection.execute("UPDATE streams_outbox SET next_attempt_at = NULL WHERE id = ANY(%s)", [list(numbers)])
        let_go_on(connection, set(key_hashes), now)
    for number, _, topic, holds_topic in found:
        if holds_topic:
            hand_on(connection, number, str(topic), now)
    sent = connection.execute("SELECT id, topic FROM streams_outbox WHERE holds_topic AND sent_at IS NOT NULL")
    for number, topic in sent.fetchall():
        connection.execute(_FREE_TOPIC, [topic])
        connection.execute("UPDATE streams_outbox SET holds_topic = false WHERE id = %s", [number])


def hand_on(connection: Connection, number: int, topic: str, now: datetime) -> None:
    """Let the next message that waits for its topic hold it, as if it had failed; with none left the topic is free.

    It is tried at once, and lets all others go on where it is sent.
    """
    if following := connection.execute(_FIRST_OF_TOPIC, [topic]).fetchone():
        handed = connection.execute(
            "UPDATE streams_outbox SET holds_topic = true, next_attempt_at = %s,"
            " alert_id = coalesce(alert_id, (SELECT alert_id FROM streams_outbox WHERE id = %s))"
            " WHERE id = %s AND discarded_at IS NULL",
            [now, number, *following],
        )
        if not handed.rowcount:
            return  # It was just discarded too; the next round sees that.
    connection.execute(
        "UPDATE streams_outbox SET holds_topic = false,"
        " next_attempt_at = CASE WHEN discarded_at IS NULL THEN next_attempt_at END WHERE id = %s",
        [number],
    )


def note_sent(connection: Connection, numbers: Collection[int], now: datetime) -> None:
    connection.execute(
        "UPDATE streams_outbox SET sent_at = %s, next_attempt_at = NULL WHERE id = ANY(%s)", [now, list(numbers)]
    )


def note_failed(connection: Connection, number: int, error: str, again_at: datetime, now: datetime) -> None:
    """Hold a message that could not be sent until it is tried again."""
    connection.execute(
        "UPDATE streams_outbox SET attempts = attempts + 1, next_attempt_at = %s, last_error = %s,"
        " held_since = coalesce(held_since, %s) WHERE id = %s",
        [again_at, error.replace("\x00", " "), now, number],
    )


def hold_topic(connection: Connection, number: int, topic: str) -> None:
    """Hold all of a topic behind a message that has failed; what else of it had a time of its own waits too."""
    connection.execute("UPDATE streams_outbox SET holds_topic = true WHERE id = %s", [number])
    connection.execute(_ABSORB, [topic])


def hold(connection: Connection, numbers: Collection[int], now: datetime) -> None:
    """Put messages behind the held one of their key."""
    if numbers:
        connection.execute(
            "UPDATE streams_outbox SET held_since = %s WHERE id = ANY(%s) AND held_since IS NULL", [now, list(numbers)]
        )


def let_go_on(connection: Connection, key_hashes: Collection[int], now: datetime) -> None:
    """Make it the turn of the first held message of each of the keys that has one, unless its topic is held."""
    first = connection.execute(_FIRST_OF_KEYS, [list(key_hashes), 1]).fetchall()
    connection.execute(
        "UPDATE streams_outbox SET next_attempt_at = %s WHERE id = ANY(%s) AND next_attempt_at IS NULL"
        " AND topic NOT IN (SELECT topic FROM streams_outbox WHERE holds_topic)",
        [now, [number for _, number, _ in first]],
    )


def _fetched(connection: Connection, sizes: _Sizes, *, lock: bool = False) -> list[Waiting]:
    """The messages in order, as many from the first on as may be in memory at once."""
    total = 0
    numbers: list[int] = []
    for _, number, size in sorted(sizes)[:BATCH]:
        total += size
        if numbers and total > BATCH_BYTES:
            break
        numbers.append(number)
    query = _FETCH.format(lock=sql.SQL("FOR UPDATE SKIP LOCKED" if lock else ""))
    found = [Waiting(*row) for row in connection.execute(query, [numbers]).fetchall()]
    missing = set(numbers) - {message.id for message in found}
    passed_over = connection.execute(_KEYS_OF, [list(missing)]).fetchall() if lock and missing else []
    return [message for message in found if (message.key_hash,) not in passed_over]
