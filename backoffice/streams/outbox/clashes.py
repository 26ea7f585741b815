"""The alert that tells of clashes, by the dead letters that it names: it ends with the last of these."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from backoffice.kernel.locks import ALERTS_OF_LETTERS

from ..database import Connection
from ..models import DeadLetter
from .alerts import close_alert, raise_alert

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
    for alert_id, _ in _with_none_open(closed):
        close_alert(alert_id, ALERT, "All dead letters that it names were replayed or discarded.", now=now)


def tell_again(opening: Collection[int], now: datetime) -> None:
    """These dead letters are about to be open again; of those whose alert has ended another one tells."""
    for ended, numbers in _with_none_open(opening):
        named = ", ".join(map(str, numbers))
        summary = f"What came under ids of other events is open again in the dead letters: {named}."
        again = raise_alert(ALERT, summary, now=now, evidence={"letters": numbers, "told_before": ended})
        DeadLetter.objects.filter(pk__in=numbers).update(alert_id=again)


def _with_none_open(letters: Collection[int]) -> list[tuple[UUID, list[int]]]:
    """The alerts that name some of these letters and none that is open; with those of these."""
    told: dict[UUID, list[int]] = defaultdict(list)
    for number, alert_id in DeadLetter.objects.filter(pk__in=letters).order_by("pk").values_list("pk", "alert_id"):
        if alert_id is not None:
            told[alert_id].append(number)
    if not told:
        return []
    with connection.cursor() as cursor:
        # Of two that close the last ones of an alert side by side, the second one sees what the first has closed.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ALERTS_OF_LETTERS])
    held = DeadLetter.objects.filter(alert_id__in=list(told), state=DeadLetter.State.OPEN)
    still = set(held.values_list("alert_id", flat=True))
    return sorted((alert_id, numbers) for alert_id, numbers in told.items() if alert_id not in still)
