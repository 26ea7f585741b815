"""The alert that tells of clashes, by the dead letters that it names: it ends with the last of these."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from backoffice.kernel.locks import ALERTS_OF_LETTERS

from ..database import Connection
from ..models import DeadLetter
from ..outbox.alerts import close_alert, raise_alert

ALERT = "event_id_clash"


@dataclass(frozen=True)
class Clashes:
    """Messages of one batch that came under ids of other events: their places and the record of the first."""

    stream: str
    topic: str
    generation: int
    places: Sequence[tuple[int, int]]
    record: str


def tell_of(clashes: Clashes, now: datetime, over: Connection) -> None:
    """One alert, with their dead letters, which are stored: money may hang on what was not stored."""
    partitions, offsets = zip(*clashes.places, strict=True)
    summary = (
        f"{clashes.stream}: {len(offsets)} messages of {clashes.topic} come under ids of other events, the first"
        f" {clashes.topic}[{partitions[0]}]@{offsets[0]} ({clashes.record}). They are in the dead letters; ask their"
        " producer about them, and replay or discard them: this is closed with the last."
    )
    places = [f"{partition}@{offset}" for partition, offset in clashes.places]
    alert_id = raise_alert(ALERT, summary, now=now, evidence={"places": places}, over=over)
    over.execute(
        "UPDATE streams_deadletter SET alert_id = %s WHERE stream = %s AND topic = %s AND generation = %s"
        ' AND (partition, "offset") IN (SELECT * FROM unnest(%s::smallint[], %s::bigint[]))',
        [alert_id, clashes.stream, clashes.topic, clashes.generation, list(partitions), list(offsets)],
    )


def end_told(closed: Collection[int], now: datetime) -> None:
    """These dead letters were closed in the caller's transaction; alerts all of whose letters are closed end."""
    told = set(DeadLetter.objects.filter(pk__in=closed, alert_id__isnull=False).values_list("alert_id", flat=True))
    if not told:
        return
    with connection.cursor() as cursor:
        # Of two that close the last ones of an alert side by side, the second one sees what the first has closed.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ALERTS_OF_LETTERS])
    still = DeadLetter.objects.filter(alert_id__in=told, state=DeadLetter.State.OPEN).values_list("alert_id", flat=True)
    for alert_id in sorted(filter(None, told - set(still))):
        close_alert(alert_id, ALERT, "All dead letters that it names were replayed or discarded.", now=now)
