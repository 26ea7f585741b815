"""What Postgres knows of the lanes' progress, and of lanes that stand still."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backoffice.kernel.ids import derived_id
from backoffice.kernel.text import storable

from ...database import Connection, connect, retryable
from ...outbox.alerts import close_alert, raise_alert
from . import clocks

ALERT = "stream_stalled"
_ANSWER_MS = 4_000
# Characters of what is told; its alert takes no more.
_TOLD = 1_000

Place = tuple[str, str, int]


@dataclass(frozen=True)
class Stored:
    """The next offset of each stream, topic and partition, those that are halted, and the stalls that are open.

    ``logged`` is the time (milliseconds) to which a log had come before the next offset; 0 where it has none.
    """

    offsets: dict[Place, int]
    halted: frozenset[Place]
    stalled: dict[tuple[str, str], list[int]]
    logged: dict[Place, int]
    clocks: clocks.Wrong


def read() -> Stored:
    """Raises Retryable while Postgres does not answer."""
    with retryable(), connect() as connection:
        connection.execute(f"SET statement_timeout = {_ANSWER_MS}")
        offsets = connection.execute(
            "SELECT stream, topic, partition, next, coalesce(logged, 0) FROM streams_offset"
        ).fetchall()
        halted = connection.execute(
            "SELECT stream, topic, partition FROM streams_halt WHERE resumed_at IS NULL"
        ).fetchall()
        stalled = connection.execute(
            "SELECT stream, topic, partitions FROM streams_stall WHERE ended_at IS NULL"
        ).fetchall()
        wrong = clocks.read(connection)
    return Stored(
        {(stream, topic, partition): following for stream, topic, partition, following, _ in offsets},  # type: ignore[misc]
        frozenset(halted),  # type: ignore[arg-type]
        {(stream, topic): partitions for stream, topic, partitions in stalled},  # type: ignore[misc]
        {(stream, topic, partition): logged for stream, topic, partition, _, logged in offsets},  # type: ignore[misc]
        wrong,
    )


def begin(connection: Connection, stream: str, topic: str, partitions: Sequence[int], told: str, now: datetime) -> None:
    """Note that a lane stands still and raise an alert, unless that was done already."""
    alert_id, told = derived_id(ALERT, stream, topic, now.isoformat()), storable(told, _TOLD)
    with connection.transaction():
        is_new = connection.execute(
            "INSERT INTO streams_stall (stream, topic, partitions, told, alert_id, noticed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [stream, topic, list(partitions), told, alert_id, now],
        ).rowcount
        if is_new:
            raise_alert(ALERT, told, now=now, alert_id=alert_id, over=connection)


def end(connection: Connection, stream: str, topic: str, now: datetime) -> None:
    """Note that a lane goes on and close its alert."""
    with connection.transaction():
        ended = connection.execute(
            "UPDATE streams_stall SET ended_at = %s WHERE stream = %s AND topic = %s AND ended_at IS NULL"
            " RETURNING alert_id",
            [now, stream, topic],
        ).fetchone()
        if ended:
            alert_id: UUID = ended[0]  # type: ignore[assignment]
            close_alert(alert_id, ALERT, f"{stream}: {topic} goes on.", now=now, over=connection)
