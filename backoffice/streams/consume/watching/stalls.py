"""What Postgres knows of the lanes' progress, and of lanes that stand still."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

from backoffice.kernel.errors import Retryable
from backoffice.kernel.ids import derived_id
from backoffice.kernel.text import storable

from ...database import Connection, brief, retryable
from ...outbox.alerts import close_alert, raise_alert
from . import clocks, overdue

log = logging.getLogger(__name__)

ALERT = "stream_stalled"
# Characters of what is told; its alert takes no more.
_TOLD = 1_000

T = TypeVar("T")
Place = tuple[str, str, int]


@dataclass(frozen=True)
class Stored:
    """The next offset of each stream, topic and partition, those that are halted, and the stalls that are open.

    ``logged`` is the time (milliseconds) to which a log had come before the next offset; 0 where it has none. What is
    told of clocks and of jobs is None where that cannot be read now.
    """

    offsets: dict[Place, int]
    halted: frozenset[Place]
    stalled: dict[tuple[str, str], list[int]]
    logged: dict[Place, int]
    clocks: clocks.Wrong | None
    jobs: overdue.Overdue | None


def read(up: Callable[[], timedelta]) -> Stored:
    """``up`` says for how long jobs could be done. Raises Retryable while Postgres does not answer."""
    with brief() as connection:
        offsets = connection.execute(
            "SELECT stream, topic, partition, next, coalesce(logged, 0) FROM streams_offset"
        ).fetchall()
        halted = connection.execute(
            "SELECT stream, topic, partition FROM streams_halt WHERE resumed_at IS NULL"
        ).fetchall()
        stalled = connection.execute(
            "SELECT stream, topic, partitions FROM streams_stall WHERE ended_at IS NULL"
        ).fetchall()
        wrong = _apart(partial(clocks.read, connection), "which clocks are wrong")
        late = _apart(partial(overdue.read, connection, up), "which jobs are overdue")
    return Stored(
        {(stream, topic, partition): following for stream, topic, partition, following, _ in offsets},
        frozenset(halted),
        {(stream, topic): partitions for stream, topic, partitions in stalled},
        {(stream, topic, partition): logged for stream, topic, partition, _, logged in offsets},
        wrong,
        late,
    )


def _apart(read: Callable[[], T], what: str) -> T | None:
    """Its table may be locked, which says nothing of the lanes."""
    try:
        with retryable():
            return read()
    except Retryable as error:
        log.info("%s cannot be read now: %s", what, error)
        return None


def note(connection: Connection, stream: str, topic: str, partitions: Sequence[int], told: str, now: datetime) -> None:
    """Note which partitions of a lane stand still by now, with an alert the first time."""
    alert_id, told = derived_id(ALERT, stream, topic, now.isoformat()), storable(told, _TOLD)
    with connection.transaction():
        is_new = connection.execute(
            "INSERT INTO streams_stall AS s (stream, topic, partitions, told, alert_id, noticed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (stream, topic) WHERE ended_at IS NULL"
            " DO UPDATE SET partitions = excluded.partitions, told = excluded.told RETURNING s.alert_id = %s",
            [stream, topic, list(partitions), told, alert_id, now, alert_id],
        ).fetchone()
        if is_new and is_new[0]:
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
            alert_id: UUID = ended[0]
            close_alert(alert_id, ALERT, f"{stream}: {topic} goes on.", now=now, over=connection)
