"""What events add to the rolling windows: counted event by event in plain numbers, as the apps describe it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS
from backoffice.metrics import rollup

from ..declared import Description, State
from ..differences import Difference
from ..messages.reading import Events
from .wants import Want

MINUTE = 60_000_000  # microseconds
_SPANS = (("", MINUTE), ("_hour", 60 * MINUTE), ("_day", 1_440 * MINUTE))


def windows(stream: str) -> Want:
    key = ("metric", "minute", "key", "currency", "topic", "partition")
    return Want(f"window_{stream}", "metrics_window", key, ("count", "amount"), adding=True)


def count(want: Want, said: Description, topic: str, partition: int, record: str, events: Events) -> None:
    """Add the events of one record type out of one partition."""
    counted, is_counted = said.counts.get(record), record in said.counted
    if counted is None and not is_counted:
        return
    add: Callable[[Any, int, int], None] = want.add
    for event in events.bodies:
        at = event["occurred_at"]
        if is_counted:
            add(("events", at // MINUTE * MINUTE, record, "", topic, partition), 1, 0)
        for metric, key, amount in counted(event) if counted else ():
            currency = "" if amount is None else event["currency"]
            for suffix, span in _SPANS if metric in said.by_hour_and_day else _SPANS[:1]:
                add((metric + suffix, at // span * span, key, currency, topic, partition), 1, amount or 0)


def activity(said: Description, records: Iterable[str]) -> tuple[State, ...]:
    """When each player was last seen to do something, for each topic and to the minute."""
    seen = tuple(record for record in said.seen if record in set(records))
    key = {"player_id": "player_id"}
    by = ("minute", "brand", "jurisdiction")
    state = State("activity", seen, "metrics_activity", key, by, {}, to_minute=True, with_topic=True)
    return (state,) if seen else ()


def roll_again() -> None:
    """Minutes that the windows have added up to hours and days already become such in the books, too.

    Messages of long ago are counted by the minute when they are read, whoever read them before.
    """
    rollup.roll(rollup.rolled_before())


def is_rolled(cursor: CursorWrapper, table: str) -> bool:
    """Whether the books hold no minutes of a time of which the windows have hours and days."""
    return not rollup.late_minutes(cursor, table, rollup.rolled_before())


def check_rolled(cursor: CursorWrapper) -> Iterator[Difference]:
    """The moment before which there are hours and days begins a day, and none of those that minutes become lies later.

    Every event is counted in minutes that become hours, so these tell of it.
    """
    cursor.execute(
        "SELECT to_jsonb(before) #>> '{}' FROM metrics_rolled r WHERE before <> date_trunc('day', before, 'UTC')"
        " OR EXISTS (SELECT 1 FROM metrics_window WHERE metric = 'events_hour' AND minute >= r.before)"
    )
    for (before,) in cursor.fetchall():
        says = "The moment up to which minutes have become hours and days is not that of the windows."
        yield Difference("windows", says, where="metrics_rolled", postgres={"before": before})


def counted_topics(said: Description) -> frozenset[str]:
    """The topics of which the stream keeps windows."""
    return frozenset(name for name, topic in TOPICS.items() if said.counts_windows_of(topic.records))
