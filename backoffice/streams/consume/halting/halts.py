"""Partitions that wait for a person, and what is known of a partition when a worker is given it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from backoffice.kernel.actor import Actor
from backoffice.kernel.ids import derived_id

from ...database import Connection
from ...models import Halt
from ...outbox.alerts import close_alert, raise_alert
from . import passing

Cause = Halt.Cause
ALERT = "stream_halted"
# They are about all that the topic held; of its partitions none goes on.
OF_THE_TOPIC = (Cause.OTHER_TOPIC, Cause.GONE_TOPIC)

# What a person has skipped is behind the offset that is stored, or given up and not passed yet by a sink elsewhere.
_HALT = (
    'INSERT INTO streams_halt (stream, topic, partition, "offset", cause, reason, alert_id, halted_at, resumed_by)'  # noqa: S608
    " SELECT %(stream)s, %(topic)s, at.partition, at.place, %(cause)s, %(reason)s, at.alert_id, %(now)s, ''"
    " FROM unnest(%(partitions)s::smallint[], %(offsets)s::bigint[], %(alerts)s::uuid[])"
    "  AS at (partition, place, alert_id)"
    " WHERE NOT EXISTS (SELECT FROM streams_offset o WHERE (o.stream, o.topic, o.partition)"
    "  = (%(stream)s, %(topic)s, at.partition) AND o.next > at.place)"
    " AND (%(cause)s = ANY(%(whole)s) OR NOT EXISTS (SELECT FROM streams_gap g WHERE " + passing.IS_AHEAD + "))"
    " ON CONFLICT DO NOTHING RETURNING partition"
)


def open_halts(connection: Connection, stream: str, topic: str) -> set[int]:
    rows = connection.execute(
        "SELECT partition FROM streams_halt WHERE stream = %s AND topic = %s AND resumed_at IS NULL", [stream, topic]
    ).fetchall()
    return {partition for (partition,) in rows}


def halt(
    connection: Connection,
    *,
    stream: str,
    topic: str,
    offsets: Mapping[int, int],
    cause: Cause,
    reason: str,
    topic_id: str,
    now: datetime,
) -> list[int]:
    """Stop partitions, each at its offset, until a person resumes them; an alert for each. All of it or nothing.

    The offset is where the sink stands: of one that keeps its offsets elsewhere a person's skip rests on that.

    Returns those that are stopped now. Others were already, or a person was quicker: has skipped what this is about, or
    gone over to another topic than that of ``topic_id``.
    """
    alerts = {
        partition: derived_id(ALERT, stream, topic, str(partition), str(offset), now.isoformat())
        for partition, offset in offsets.items()
    }
    with connection.transaction():
        present = connection.execute(
            "SELECT topic_id FROM streams_reading WHERE stream = %s AND topic = %s FOR SHARE", [stream, topic]
        ).fetchone()
        if present is not None and present[0] != topic_id:
            return []
        rows = connection.execute(
            _HALT,
            {"stream": stream, "topic": topic, "partitions": list(offsets), "offsets": list(offsets.values()),
             "alerts": list(alerts.values()), "cause": cause.value, "whole": [each.value for each in OF_THE_TOPIC],
             "reason": reason, "now": now},
        ).fetchall()  # fmt: skip
        halted = sorted(partition for (partition,) in rows)
        for partition in halted:
            told = f"{stream}: {topic}[{partition}] halted at offset {offsets[partition]}. {reason}"
            raise_alert(ALERT, told, rule=cause.name.lower(), now=now, alert_id=alerts[partition], over=connection)
    return halted


def end(halts: QuerySet[Halt], *, actor: Actor, now: datetime, offset: int | None = None) -> None:
    """End open halts, where the partitions go on at ``offset`` if that is another one, and close their alerts.

    Within the caller's transaction of Django's connection.
    """
    ended = list(halts.filter(resumed_at=None).select_for_update().order_by("partition"))
    for halt in ended:
        halt.resumed_at, halt.resumed_by = now, actor.id
        halt.offset = halt.offset if offset is None else offset
        if halt.alert_id:
            told = f"{halt.stream}: {halt.topic}[{halt.partition}] goes on at offset {halt.offset}, by {actor.id}."
            close_alert(halt.alert_id, ALERT, told, now=now)
    Halt.objects.bulk_update(ended, ["resumed_at", "resumed_by", "offset"])


@dataclass(frozen=True)
class Past:
    """What is known of the last messages of a partition.

    ``seen`` were stored before the next one, of which those at the places ``bad`` (counted from 0) are dead letters.
    Bad ones before the offset ``accepted`` do not count; ``diverted`` where bad ones are being diverted.
    """

    seen: int = 0
    bad: tuple[int, ...] = ()
    accepted: int = 0
    diverted: bool = False


def pasts(
    connection: Connection, stream: str, topic: str, following: Mapping[int, int], window: int
) -> dict[int, Past]:
    """The past of each partition up to its next offset: since it was last resumed, and ``window`` offsets at most.

    The dead letters themselves are what is remembered: nothing else has to be written for it.
    """
    rows = connection.execute(
        "SELECT at.partition, at.next - since.start, coalesce(accepted.until, 0),"
        " EXISTS (SELECT FROM streams_diversion d WHERE (d.stream, d.topic, d.partition) = (%(s)s, %(t)s, at.partition)"
        "  AND d.ended_at IS NULL),"
        ' ARRAY(SELECT d."offset" - since.start FROM streams_deadletter d'
        "  WHERE (d.stream, d.topic, d.partition) = (%(s)s, %(t)s, at.partition)"
        "   AND d.generation = coalesce((SELECT generation FROM streams_reading r"
        "    WHERE (r.stream, r.topic) = (%(s)s, %(t)s)), 0)"
        '   AND d."offset" >= since.start AND d."offset" < at.next ORDER BY 1)'
        " FROM unnest(%(partitions)s::smallint[], %(nexts)s::bigint[]) AS at (partition, next)"
        " CROSS JOIN LATERAL (SELECT max(until) AS until FROM streams_acceptance a"
        "  WHERE (a.stream, a.topic, a.partition) = (%(s)s, %(t)s, at.partition)) AS accepted"
        " CROSS JOIN LATERAL (SELECT least(at.next, greatest(at.next - %(window)s, 0, accepted.until,"
        '  (SELECT max("offset") FROM streams_halt h'
        "   WHERE (h.stream, h.topic, h.partition) = (%(s)s, %(t)s, at.partition)"
        "   AND h.resumed_at IS NOT NULL))) AS start) AS since",
        {"s": stream, "t": topic, "partitions": list(following), "nexts": list(following.values()), "window": window},
    ).fetchall()
    return {partition: Past(seen, tuple(bad), until, bool(diverted)) for partition, seen, until, diverted, bad in rows}


def accepted(connection: Connection, stream: str, topic: str, partition: int) -> int:
    """The offset before which a person has taken all bad messages of the partition as dead letters; 0 for none."""
    row = connection.execute(
        "SELECT max(until) FROM streams_acceptance WHERE stream = %s AND topic = %s AND partition = %s",
        [stream, topic, partition],
    ).fetchone()
    return row[0] if row and row[0] is not None else 0
