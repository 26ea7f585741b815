"""An alert for a job by the clock that is overdue, until it has succeeded."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from backoffice.kernel.clock import Clock
from backoffice.kernel.ids import derived_id
from backoffice.kernel.locks import JOB

from ... import turns
from ...database import Connection
from ...jobs import by_hand, job_of, judged_after, schedules, session_name
from ...outbox.alerts import close_alert, raise_alert
from . import blocking
from .notes import Note

log = logging.getLogger(__name__)

ALERT = "job_overdue"


@dataclass(frozen=True)
class Overdue:
    """Jobs that are overdue of which no alert tells yet, each with when it last succeeded, and those of which one tells
    although they are not.
    """

    untold: dict[str, datetime | None]
    over: frozenset[str]


def read(connection: Connection, up: Callable[[], timedelta]) -> Overdue:
    """``up`` says for how long this process and Postgres have been; asked once Postgres has answered."""
    rows: Sequence[tuple[str, datetime | None, datetime, bool, datetime]] = connection.execute(
        "SELECT name, succeeded_at, known_since, overdue_alert_id IS NOT NULL, clock_timestamp()"
        " FROM streams_clocked_job"
    ).fetchall()
    late = {
        name: succeeded_at
        for name, succeeded_at, known_since, _, now in rows
        if name in schedules() and job_of(name, succeeded_at, known_since).is_overdue(now)
    }
    told = {name for name, _, _, is_told, _ in rows if is_told}
    been = up()
    untold = {name: at for name, at in late.items() if name not in told and been >= judged_after(name)}
    return Overdue(untold, frozenset(told - late.keys()))


def notes(found: Overdue, clock: Clock) -> list[Note]:
    """The alerts that are to be raised and closed, whatever worker is first."""
    begun = [
        Note(f"that the job {name} is overdue", partial(_begin, name, at, clock))
        for name, at in sorted(found.untold.items())
    ]
    return begun + [
        Note(f"that the job {name} was done again", partial(_end, name, clock)) for name in sorted(found.over)
    ]


def _begin(name: str, succeeded_at: datetime | None, clock: Clock, connection: Connection) -> None:
    now = clock.now()
    last = f"was last done at {succeeded_at:%Y-%m-%d %H:%M:%S} UTC" if succeeded_at else "was never done"
    why = _why(connection, name)
    told, alert_id = f"The job {name} is overdue: it {last}. {why}", derived_id(ALERT, name, now.isoformat())
    with connection.transaction():
        is_new = connection.execute(
            "UPDATE streams_clocked_job SET overdue_alert_id = %s WHERE name = %s AND overdue_alert_id IS NULL",
            [alert_id, name],
        ).rowcount
        if not is_new:
            return
        raise_alert(ALERT, told, now=now, severity="high", evidence={"job": name}, alert_id=alert_id, over=connection)
    log.error("%s", told)


def _why(connection: Connection, name: str) -> str:
    if at_work := turns.holder(connection, JOB, name):
        return f"It is at work in {at_work}.{blocking.why(connection, session_name(name))}"
    if person := by_hand(connection, name):
        return f"Its work is being done by hand, in {person}; the next run after that makes up for it."
    return (
        "No worker is at it now: see whether beat and the workers run; the log of a worker that tried says why it was"
        " not done."
    )


def _end(name: str, clock: Clock, connection: Connection) -> None:
    with connection.transaction():
        told = connection.execute(
            "SELECT overdue_alert_id FROM streams_clocked_job WHERE name = %s AND overdue_alert_id IS NOT NULL"
            " FOR UPDATE",
            [name],
        ).fetchone()
        if told is None:
            return
        alert_id: UUID = told[0]
        connection.execute("UPDATE streams_clocked_job SET overdue_alert_id = NULL WHERE name = %s", [name])
        close_alert(alert_id, ALERT, f"The job {name} was done again.", now=clock.now(), over=connection)
