"""What waits in the outbox, and what becomes of it: the statements of the relay.

A message is ready until it cannot be sent; then it is held, and all of its key behind it. The first held message of a
key has the time of the next attempt. Nothing looks at those behind it but by the index of their key, however many wait.
Where the reason lies in its topic, all of that is held behind one message, and is ready again once that was sent.
Only the relay changes this; a person (handling.py) only marks a held message, and leaves the rest to the relay.

The relay waits for no message that somebody else has locked: that one is taken in a later round, and so is what comes
after it in its key. So that none is forgotten, a message that was sent or discarded has a time until the next of
its key has one, and one that was sent holds its topic until nothing is left behind it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg import sql

from ..database import Connection

# So many messages, and so many bytes of them, are in memory at once; one message is always taken, however large.
BATCH = 2_500
BATCH_BYTES = 16_000_000
# Keys of which the first held message is tried again in one round.
HEADS = 100
# All of a topic is gone through again so much later for those that somebody else had locked.
_NEXT_LOOK = timedelta(seconds=5)

_SIZE = sql.SQL("coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0) AS size")
_HELD = sql.SQL("sent_at IS NULL AND discarded_at IS NULL AND held_since IS NOT NULL")
_HELD_TOPICS = sql.SQL("SELECT topic FROM streams_outbox WHERE holds_topic AND sent_at IS NULL")
# No pause is longer than the longest: an attempt that is still further away was set by a clock that was ahead.
_DUE = sql.SQL("(next_attempt_at <= %s OR next_attempt_at > %s)")
_ENDED = sql.SQL(
    "SELECT id, key_hash FROM streams_outbox"
    " WHERE {due} AND NOT holds_topic AND (sent_at IS NOT NULL OR discarded_at IS NOT NULL)"
).format(due=_DUE)
_ENDED_HOLDERS = sql.SQL(
    "SELECT id, topic, sent_at IS NOT NULL, topic IN ({held_topics} AND discarded_at IS NULL) FROM streams_outbox"
    " WHERE (next_attempt_at IS NULL OR {due}) AND holds_topic AND (sent_at IS NOT NULL OR discarded_at IS NOT NULL)"
    " FOR UPDATE SKIP LOCKED"
).format(due=_DUE, held_topics=_HELD_TOPICS)
_READY = sql.SQL(
    "SELECT position, id, size, key_hash, first.is_held IS NOT NULL OR topic IN ({held_topics}) FROM ("
    " SELECT position, id, topic, key_hash, {size} FROM streams_outbox"
    "  WHERE sent_at IS NULL AND held_since IS NULL AND position IS NOT NULL AND discarded_at IS NULL"
    "  AND (position, id) > (%s, %s) AND key_hash <> ALL(%s) ORDER BY position, id LIMIT %s) AS w"
    # In order, so that the planner has to look each key up, and does not read all that is held to find none.
    " LEFT JOIN LATERAL (SELECT true AS is_held FROM streams_outbox WHERE key_hash = w.key_hash AND {held}"
    "  ORDER BY position, id LIMIT 1) AS first ON true ORDER BY position, id"
).format(held=_HELD, held_topics=_HELD_TOPICS, size=_SIZE)
# The limit counts those that nobody else has locked.
_HEADS = sql.SQL(
    "SELECT position, id, {size}, key_hash, attempts FROM streams_outbox"
    " WHERE {due} AND sent_at IS NULL AND discarded_at IS NULL AND (holds_topic OR topic NOT IN ({held_topics}))"
    " ORDER BY next_attempt_at LIMIT %s FOR UPDATE SKIP LOCKED"
).format(due=_DUE, held_topics=_HELD_TOPICS, size=_SIZE)
_OF_KEYS = sql.SQL(
    "SELECT number, position, id, size, wanted FROM unnest(%s::bigint[]) AS k (wanted), LATERAL (SELECT position, id,"
    " {size}, row_number() OVER (ORDER BY position, id) AS number FROM streams_outbox WHERE key_hash = k.wanted"
    " AND {held} ORDER BY position, id LIMIT %s) AS first"
).format(held=_HELD, size=_SIZE)
# Those of the keys that wait for their turn and not for their topic.
_TURNS = sql.SQL(
    "SELECT id, wanted FROM unnest(%s::bigint[]) AS k (wanted), LATERAL (SELECT id, topic, next_attempt_at"
    " FROM streams_outbox WHERE key_hash = k.wanted AND {held} ORDER BY position, id LIMIT 1) AS first"
    " WHERE next_attempt_at IS NULL AND topic NOT IN ({held_topics})"
).format(held=_HELD, held_topics=_HELD_TOPICS)
_FETCH = (
    "SELECT id, topic, key, value, record, schema_version, headers, key_hash, attempts, held_since IS NOT NULL,"
    " holds_topic FROM streams_outbox WHERE id = ANY(%s) AND sent_at IS NULL AND discarded_at IS NULL"
    " ORDER BY position, id FOR UPDATE SKIP LOCKED"
)
_LOCK = "SELECT id FROM streams_outbox WHERE id = ANY(%s) FOR UPDATE SKIP LOCKED"

# The first of each key of a topic; those that wait for a time of their own go by themselves.
_WAIT_FOR_TOPIC = sql.SQL(
    "FROM (SELECT DISTINCT ON (key_hash) id AS first FROM streams_outbox WHERE topic = %s AND {held}"
    " ORDER BY key_hash, position, id) AS f JOIN streams_outbox ON id = first WHERE next_attempt_at IS NULL AND {held}"
).format(held=_HELD)
_FIRST_OF_TOPIC = sql.SQL("SELECT id {} ORDER BY position, id LIMIT 1 FOR UPDATE OF streams_outbox SKIP LOCKED").format(
    _WAIT_FOR_TOPIC
)
_ANY_OF_TOPIC = sql.SQL("SELECT id {} LIMIT 1").format(_WAIT_FOR_TOPIC)
_WAITS = sql.SQL(
    "SELECT id, key_hash FROM streams_outbox"
    " WHERE topic = %(topic)s AND {held} AND key_hash NOT IN (SELECT key_hash FROM timed)"
).format(held=_HELD)
# Whole keys, but for those that have a time of their own. Those of which somebody else has a message locked are left.
# No joins: where much is held that the planner has not heard of yet, it would take one row for each with each.
_FREE_TOPIC = sql.SQL(
    "WITH timed AS MATERIALIZED (SELECT key_hash FROM streams_outbox WHERE topic = %(topic)s"
    "  AND next_attempt_at IS NOT NULL AND sent_at IS NULL AND discarded_at IS NULL),"
    " ours AS MATERIALIZED ({waits} FOR UPDATE SKIP LOCKED),"
    " left_over AS MATERIALIZED (SELECT DISTINCT key_hash FROM ({waits} EXCEPT SELECT * FROM ours) AS others),"
    " freed AS (UPDATE streams_outbox SET held_since = NULL WHERE id = ANY(ARRAY("
    "  SELECT id FROM ours WHERE key_hash NOT IN (SELECT key_hash FROM left_over))))"
    " SELECT key_hash FROM left_over"
).format(waits=_WAITS)
# Those that somebody is just discarding are passed over. Nobody tries them while their topic is held.
_ABSORB = (
    "UPDATE streams_outbox SET next_attempt_at = NULL WHERE id = ANY(ARRAY(SELECT id FROM streams_outbox"
    " WHERE next_attempt_at IS NOT NULL AND sent_at IS NULL AND discarded_at IS NULL AND topic = %s AND NOT holds_topic"
    " FOR UPDATE SKIP LOCKED))"
)


class _Place(NamedTuple):
    """Where a message stands; ``size`` in bytes."""

    position: int
    id: int
    size: int
    key_hash: int
    is_behind: bool = False


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
    """The oldest messages that can be sent, locked for the open transaction, and how many others are held now.

    Those stand behind a held one of their key or topic. It is looked on past what others have locked, until there is a
    batch.
    """
    taken: list[Waiting] = []
    blocked: set[int] = set()
    behind, room, after = 0, BATCH_BYTES, (-1, -1)
    while (number := BATCH - len(taken) - behind) > 0:
        page = [_Place(*row) for row in connection.execute(_READY, [*after, list(blocked), number]).fetchall()]
        part = _within(page, room, at_least=0 if taken else 1)
        found = _fetched(connection, [place for place in part if not place.is_behind], blocked)
        behind += _put_behind(connection, [place for place in part if place.is_behind], blocked, now)
        taken += found
        if not part or len(part) == len(page) < number:
            break
        numbers = {row.id for row in found}
        room -= sum(place.size for place in part if place.id in numbers)
        after = part[-1].position, part[-1].id
    return taken, behind


def due(connection: Connection, now: datetime, longest: timedelta) -> list[Waiting]:
    """Held messages whose time has come (the pause before it is the ``longest`` at most), locked for the open
    transaction.

    Of a key whose first message failed before it is that alone; of one whose turn it is, the first and many behind it.
    Each key has its first before another has its second.
    """
    heads = connection.execute(_HEADS, [now, now + longest, HEADS]).fetchall()
    keys = [key_hash for *_, key_hash, attempts in heads if not attempts]
    found = [(1, *place) for *place, attempts in heads if attempts]
    found += connection.execute(_OF_KEYS, [keys, BATCH]).fetchall() if keys else []
    places = _within([_Place(*place) for _, *place in sorted(found)[:BATCH]], BATCH_BYTES, at_least=1)
    return _fetched(connection, sorted(places), set())


def release(connection: Connection, now: datetime, longest: timedelta) -> None:
    """Let go on what was behind messages that were sent or that a person has discarded, of keys and of topics."""
    for number, topic, is_sent, is_held_anew in connection.execute(_ENDED_HOLDERS, [now, now + longest]).fetchall():
        if is_held_anew:
            _hold_no_more(connection, number)
        elif not is_sent:
            hand_on(connection, number, topic, now)
        elif not _free_topic(connection, topic, now):
            _hold_no_more(connection, number)
        else:
            _look_later(connection, number, now)
    if ended := connection.execute(_ENDED, [now, now + longest]).fetchall():
        left = _let_go_on(connection, {key_hash for _, key_hash in ended}, now)
        done = _lock(connection, [number for number, key_hash in ended if key_hash not in left])
        connection.execute("UPDATE streams_outbox SET next_attempt_at = NULL WHERE id = ANY(%s)", [list(done)])


def hand_on(connection: Connection, number: int, topic: str, now: datetime) -> None:
    """Let the next message that waits for its topic hold it, as if it had failed; with none left the topic is free.

    It is tried at once, and lets all others go on where it is sent. Where somebody else has all of them locked the
    message, which is locked here, holds it until later.
    """
    if following := connection.execute(_FIRST_OF_TOPIC, [topic]).fetchone():
        connection.execute(
            "UPDATE streams_outbox SET holds_topic = true, next_attempt_at = %s,"
            " alert_id = coalesce(alert_id, (SELECT alert_id FROM streams_outbox WHERE id = %s)) WHERE id = %s",
            [now, number, *following],
        )
    elif connection.execute(_ANY_OF_TOPIC, [topic]).fetchone():
        _look_later(connection, number, now)
        return
    _hold_no_more(connection, number)


def note_sent(connection: Connection, numbers: Collection[int], now: datetime) -> None:
    connection.execute(
        "UPDATE streams_outbox SET sent_at = %s, next_attempt_at = NULL WHERE id = ANY(%s)", [now, list(numbers)]
    )


def let_go_on(connection: Connection, last: Mapping[int, int], now: datetime) -> None:
    """Let keys go on of which the ``last`` message that was sent is locked here; where that cannot be it is marked."""
    if left := _let_go_on(connection, last.keys(), now) if last else set():
        marked = [number for key_hash, number in last.items() if key_hash in left]
        connection.execute("UPDATE streams_outbox SET next_attempt_at = %s WHERE id = ANY(%s)", [now, marked])


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
    """Put messages, which are locked, behind the held one of their key."""
    if numbers:
        connection.execute(
            "UPDATE streams_outbox SET held_since = %s WHERE id = ANY(%s) AND held_since IS NULL", [now, list(numbers)]
        )


def _let_go_on(connection: Connection, key_hashes: Collection[int], now: datetime) -> set[int]:
    """Make it the turn of the first held message of each of the keys that has one, unless its topic is held.

    Returns the keys whose turn it could not be made, as somebody else has that message locked.
    """
    first: dict[int, int] = dict(connection.execute(_TURNS, [list(key_hashes)]).fetchall())
    free = _lock(connection, first)
    connection.execute("UPDATE streams_outbox SET next_attempt_at = %s WHERE id = ANY(%s)", [now, list(free)])
    return {key_hash for number, key_hash in first.items() if number not in free}


def _free_topic(connection: Connection, topic: str, now: datetime) -> set[int]:
    """Make ready what waits for its topic alone. Returns the keys that still do: somebody else has their first locked.

    Keys of which another message is locked have their turn.
    """
    left = {key_hash for (key_hash,) in connection.execute(_FREE_TOPIC, {"topic": topic}).fetchall()}
    return _let_go_on(connection, left, now) if left else left


def _hold_no_more(connection: Connection, number: int) -> None:
    connection.execute(
        "UPDATE streams_outbox SET holds_topic = false, next_attempt_at ="
        " CASE WHEN sent_at IS NULL AND discarded_at IS NULL THEN next_attempt_at END WHERE id = %s",
        [number],
    )


def _look_later(connection: Connection, number: int, now: datetime) -> None:
    """Where it has ended: one that is still to be sent has the time of its next attempt."""
    connection.execute(
        "UPDATE streams_outbox SET next_attempt_at = %s"
        " WHERE id = %s AND (sent_at IS NOT NULL OR discarded_at IS NOT NULL)",
        [now + _NEXT_LOOK, number],
    )


def _put_behind(connection: Connection, places: Sequence[_Place], blocked: set[int], now: datetime) -> int:
    """Hold these; returns how many. One that somebody else has locked stays ready, and what of its key is after it."""
    free = _unbroken(places, _lock(connection, [place.id for place in places]), blocked) if places else set()
    hold(connection, free, now)
    return len(free)


def _fetched(connection: Connection, places: Sequence[_Place], blocked: set[int]) -> list[Waiting]:
    """Those of the messages, in order, that nobody else has locked, themselves or one before them in their key."""
    numbers = [place.id for place in places]
    found = [Waiting(*row) for row in connection.execute(_FETCH, [numbers]).fetchall()] if numbers else []
    free = _unbroken(places, {row.id for row in found}, blocked)
    return [row for row in found if row.id in free]


def _unbroken(places: Iterable[_Place], ours: Collection[int], blocked: set[int]) -> set[int]:
    """Those that are ``ours`` up to the first of their key that is not; such keys are then ``blocked``."""
    free = set()
    for place in places:
        if place.id not in ours:
            blocked.add(place.key_hash)
        elif place.key_hash not in blocked:
            free.add(place.id)
    return free


def _lock(connection: Connection, numbers: Collection[int]) -> set[int]:
    """Those that are locked for the open transaction now; the others somebody else has locked or just discarded."""
    return {number for (number,) in connection.execute(_LOCK, [list(numbers)]).fetchall()} if numbers else set()


def _within(places: Sequence[_Place], room: int, *, at_least: int) -> Sequence[_Place]:
    """As many from the first on as have so many bytes; what is to be held is not fetched."""
    total = 0
    for number, place in enumerate(places):
        total += 0 if place.is_behind else place.size
        if number >= at_least and total > room:
            return places[:number]
    return places
