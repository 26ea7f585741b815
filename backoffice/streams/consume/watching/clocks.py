"""An alert for a machine whose clock is wrong, for as long as a worker there sees it."""

from dataclasses import dataclass
from uuid import UUID

from backoffice.kernel.clock import Clock
from backoffice.kernel.ids import derived_id
from backoffice.kernel.text import storable

from ...database import Connection
from ...outbox.alerts import close_alert, raise_alert

ALERT = "clock_wrong"
# Characters of what is told; its alert takes no more.
_TOLD = 1_000
# Seconds (by Postgres' clock) after which a machine of which nothing is seen has no worker any more.
GONE_SECONDS = 60


@dataclass(frozen=True)
class Wrong:
    """Machines whose clock is told of as wrong; ``gone`` are those of which no worker has seen that of late."""

    hosts: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


def read(connection: Connection) -> Wrong:
    rows = connection.execute(
        "SELECT host, seen_at < clock_timestamp() - make_interval(secs => %s) FROM streams_wrong_clock"
        " WHERE ended_at IS NULL",
        [GONE_SECONDS],
    ).fetchall()
    return Wrong(frozenset(str(host) for host, _ in rows), frozenset(str(host) for host, is_gone in rows if is_gone))


def see(host: str, told: str, clock: Clock, connection: Connection) -> None:
    """Note that a clock is wrong, with an alert the first time."""
    now = clock.now()
    told, alert_id = storable(told, _TOLD), derived_id(ALERT, host, now.isoformat())
    with connection.transaction():
        is_new = connection.execute(
            "INSERT INTO streams_wrong_clock AS w (host, told, alert_id, noticed_at, seen_at)"
            " VALUES (%s, %s, %s, %s, clock_timestamp()) ON CONFLICT (host) WHERE ended_at IS NULL"
            " DO UPDATE SET seen_at = excluded.seen_at RETURNING w.alert_id = %s",
            [host, told, alert_id, now, alert_id],
        ).fetchone()
        if is_new and is_new[0]:
            raise_alert(
                ALERT, told, now=now, severity="high", evidence={"host": host}, alert_id=alert_id, over=connection
            )


def end(host: str, why: str, clock: Clock, connection: Connection) -> None:
    """Close its alert, where one is open."""
    now = clock.now()
    with connection.transaction():
        ended = connection.execute(
            "UPDATE streams_wrong_clock SET ended_at = %s WHERE host = %s AND ended_at IS NULL RETURNING alert_id",
            [now, host],
        ).fetchone()
        if ended:
            alert_id: UUID = ended[0]
            close_alert(alert_id, ALERT, why, now=now, over=connection)
