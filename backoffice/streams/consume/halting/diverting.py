"""Too many bad messages that are diverted: the partition goes on, and what their senders offer is suspended.

Who a message is from and what suspending means is known to the app whose topic it is; it registers that here.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from backoffice.kernel import locks
from backoffice.kernel.ids import derived_id
from backoffice.kernel.text import storable

from ...database import Connection, now_there
from ...outbox.alerts import close_alert, raise_alert

log = logging.getLogger(__name__)

ALERT = "stream_diverted"
AUTOMATIC = "stream"
# Characters of a reason and of a sender's name: an index holds names, and an alert lists them.
_REASON, _NAME = 1_000, 128
# So many letters are in memory at a time; each may be as large as a message can be.
_AT_A_TIME = 50

# The newest of a partition, which are those that its breaker counts.
_LETTERS = (
    "SELECT key, value, schema_id FROM streams_deadletter"
    " WHERE (stream, topic, generation, partition) = (%s, %s, %s, %s)"
    ' ORDER BY "offset" DESC LIMIT %s'
)


@dataclass(frozen=True)
class Bad:
    """The bad messages of a partition that are one too many: the newest ``count`` of its dead letters.

    ``offset`` is that of the newest, ``reason`` says what led to it. Whoever sent more than ``share`` is suspended.
    """

    stream: str
    topic: str
    generation: int
    partition: int
    count: int
    offset: int
    reason: str
    share: float


@dataclass(frozen=True)
class Letter:
    """A bad message, and the id of the schema that it says it was written by."""

    key: bytes | None
    value: bytes | None
    schema_id: int | None


class Senders(Protocol):
    """Who sends a topic, and how to stop believing them. All within the transaction that is open, and in its turn."""

    def named(self, connection: Connection, letters: Sequence[Letter]) -> list[str]:
        """Who sent each of the messages; an empty name where that cannot be told."""
        ...

    def suspend(self, connection: Connection, names: Sequence[str], reason: str, now: datetime) -> None:
        """Suspend what these offer, where that is not done already."""
        ...

    def release(self, connection: Connection, names: Sequence[str], by: str, now: datetime) -> None:
        """Undo it."""
        ...

    def changed(self) -> None:
        """After such a transaction, so that it can be told to those who watch; nothing depends on it."""
        ...


_SENDERS: dict[str, Senders] = {}


def register(topic: str, senders: Senders) -> None:
    _SENDERS[topic] = senders


def divert(connection: Connection, bad: Bad, now: datetime) -> list[str]:
    """Note that bad messages of the partition are diverted, and suspend whoever sent more than their share of them.

    One alert for a topic, however many of its partitions follow. Returns who is suspended on account of the partition.
    """
    stream, topic, reason = bad.stream, bad.topic, storable(bad.reason, _REASON)
    with connection.transaction():
        sources = _sources(connection, bad)
        take_turn(connection, topic)
        alert_id = _open_alert(connection, stream, topic)
        row = connection.execute(
            "INSERT INTO streams_diversion AS d"
            ' (stream, topic, partition, "offset", reason, sources, alert_id, begun_at, ended_by)'
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, '')"
            " ON CONFLICT (stream, topic, partition) WHERE ended_at IS NULL DO UPDATE SET"
            " sources = ARRAY(SELECT DISTINCT unnest(d.sources || excluded.sources) ORDER BY 1) RETURNING sources",
            [stream, topic, bad.partition, bad.offset, reason, sources,
             alert_id or derived_id(ALERT, stream, topic, now.isoformat()), now],
        ).fetchone()  # fmt: skip
        if sources:
            _SENDERS[topic].suspend(connection, sources, reason, now)
        if alert_id is None:
            _tell(connection, stream, topic, reason, sources, now)
    _changed(topic, sources)
    found: list[str] = row[0] if row else []
    return found


def end(connection: Connection, *, stream: str, topic: str, partitions: Sequence[int], by: str) -> int:
    """The diversions of these partitions are over; senders whom no other one names are believed again. How many.

    What they sent before that moment is not believed. It is Postgres' clock that says it: by that nothing which was
    stored was told later, whatever our own clock says, and the brokers'.
    """
    with connection.transaction():
        take_turn(connection, topic)
        now = now_there(connection)
        ended = connection.execute(
            "UPDATE streams_diversion SET ended_at = %s, ended_by = %s"
            " WHERE stream = %s AND topic = %s AND partition = ANY(%s) AND ended_at IS NULL RETURNING sources,"
            " alert_id",
            [now, by, stream, topic, list(partitions)],
        ).fetchall()
        named = {name for names, _ in ended for name in names}
        still = connection.execute(
            "SELECT DISTINCT unnest(sources) FROM streams_diversion WHERE topic = %s AND ended_at IS NULL", [topic]
        ).fetchall()
        over = sorted(named - {str(name) for (name,) in still})
        if over and topic in _SENDERS:
            _SENDERS[topic].release(connection, over, by, now)
        if ended and _open_alert(connection, stream, topic) is None:
            alert_id: UUID = ended[0][1]
            close_alert(alert_id, ALERT, f"{stream}: {topic} diverts no more bad messages.", now=now, over=connection)
    _changed(topic, over)
    return len(ended)


def take_turn(connection: Connection, topic: str) -> None:
    """Whoever else decides on senders of the topic comes before or after, to the end of the transaction that is open:
    who begins or ends a diversion, in another partition or stream, and who suspends or releases them otherwise.

    Two that do not see each other would release a sender whom the other has just named, or raise two alerts.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [locks.DIVERSIONS, topic])


def _changed(topic: str, names: Sequence[str]) -> None:
    if names and topic in _SENDERS:
        try:
            _SENDERS[topic].changed()
        except Exception:
            log.exception("nobody could be told that senders of %s are suspended or released", topic)


def _sources(connection: Connection, bad: Bad) -> list[str]:
    """Who sent more than the share of the messages. A fault in telling it must not stop the lane: then it is nobody."""
    if bad.topic not in _SENDERS:
        return []
    try:
        with connection.transaction():
            counted = _counted(connection, bad)
    except Exception:
        log.exception("who sent the bad messages of %s cannot be told", bad.topic)
        return []
    return sorted(name for name, count in counted.items() if name and count > bad.share * counted.total())


def _counted(connection: Connection, bad: Bad) -> Counter[str]:
    """How many of the messages each sender sent, by name, as far as a name goes."""
    counted = Counter[str]()
    with connection.cursor(name="letters") as cursor:
        cursor.execute(_LETTERS, [bad.stream, bad.topic, bad.generation, bad.partition, bad.count])
        while rows := cursor.fetchmany(_AT_A_TIME):
            letters = [Letter(key, value, schema_id) for key, value, schema_id in rows]
            counted.update(storable(name, _NAME) for name in _SENDERS[bad.topic].named(connection, letters))
    return counted


def _open_alert(connection: Connection, stream: str, topic: str) -> UUID | None:
    row = connection.execute(
        "SELECT alert_id FROM streams_diversion WHERE stream = %s AND topic = %s AND ended_at IS NULL LIMIT 1",
        [stream, topic],
    ).fetchone()
    return row[0] if row else None


def _tell(connection: Connection, stream: str, topic: str, reason: str, sources: Sequence[str], now: datetime) -> None:
    suspended = f"Suspended: {', '.join(sources)}." if sources else "Nobody is suspended: the senders cannot be told."
    summary = f"{stream}: bad messages of {topic} go to the dead letters, the rest goes on. {suspended} {reason}"
    raise_alert(
        ALERT, summary, now=now, alert_id=derived_id(ALERT, stream, topic, now.isoformat()),
        evidence={"stream": stream, "topic": topic, "sources": list(sources)}, over=connection,
    )  # fmt: skip
