"""What events add to the rolling windows: counted event by event in plain numbers, as the apps describe it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.contracts.catalogue import TOPICS
from backoffice.metrics import rollup

from ..declared import Description, State, descriptions
from ..differences import Difference
from ..messages.reading import Events
from .tallies import Late
from .wants import Want, names

MINUTE = 60_000_000  # microseconds
_SPANS = (("", MINUTE), ("_hour", 60 * MINUTE), ("_day", 1_440 * MINUTE))


def windows(stream: str) -> Want:
    key = ("metric", "minute", "key", "currency", "topic", "partition")
    return Want(f"window_{stream}", "metrics_window", key, ("count", "amount"), adding=True)


def count(
    want: Want, said: Description, topic: str, partition: int, record: str, events: Events, rolled_before: int
) -> None:
    """Add the events of one record type out of one partition; those of before ``rolled_before`` (microseconds), for
    which there are hours and days, to these at once.
    """
    counted, is_counted = said.counts.get(record), record in said.counted
    if counted is None and not is_counted:
        return
    add: Callable[[Any, int, int], None] = want.add
    for event in events.bodies:
        at = event["occurred_at"]
        usual, of_spans = (_SPANS[1:], _SPANS[1:]) if at < rolled_before else (_SPANS[:1], _SPANS)
        for suffix, span in usual if is_counted else ():
            add(("events" + suffix, at // span * span, record, "", topic, partition), 1, 0)
        for metric, key, amount in counted(event) if counted else ():
            currency = "" if amount is None else event["currency"]
            for suffix, span in of_spans if metric in said.by_hour_and_day else usual:
                add((metric + suffix, at // span * span, key, currency, topic, partition), 1, amount or 0)


def activity(said: Description, records: Iterable[str]) -> tuple[State, ...]:
    """When each player was last seen to do something, for each topic and to the minute."""
    seen = tuple(record for record in said.seen if record in set(records))
    key = {"player_id": "player_id"}
    by = ("minute", "brand", "jurisdiction")
    state = State("activity", seen, "metrics_activity", key, by, {}, to_minute=True, with_topic=True)
    return (state,) if seen else ()


def roll_again() -> None:
    """Minutes of a time of which there are hours and days become such: what came late for the windows, and in the books
    what a step has counted by the minute while the windows were rolled up.
    """
    rollup.roll(rollup.rolled_before())


def came_late(cursor: CursorWrapper) -> Late | None:
    """What has come late for the windows and will be added to their hours and days; None where nothing has."""
    target, late = windows("late"), sql.Identifier("late_windows")
    before = rollup.rolled_before()
    metrics = sorted(rollup.late_minutes(cursor, target.target, before))
    if not metrics:
        return None
    kept = {metric for said in descriptions() for metric in said.by_hour_and_day}
    key, sums = names(target.key[2:]), sql.SQL(", ").join(map(_added, target.values))
    query = sql.SQL(
        "CREATE TEMPORARY TABLE {late} ON COMMIT DROP AS"
        " SELECT metric || '_' || span AS metric, date_trunc(span, minute, 'UTC') AS minute, {key}, {sums}"
        " FROM {windows}, unnest(ARRAY['hour', 'day']) span WHERE metric = ANY(%s) AND minute < %s"
        " AND metric <> ALL(%s) GROUP BY 1, 2, {key}"
    ).format(late=late, key=key, sums=sums, windows=sql.Identifier(target.target))
    cursor.execute(query, [metrics, before, sorted(kept)])
    is_late = sql.SQL("minute < {} AND metric = ANY({})").format(sql.Literal(before), sql.Literal(metrics))
    return Late(late, is_late)


def _added(column: str) -> sql.Composable:
    return sql.SQL("sum({0})::bigint AS {0}").format(sql.Identifier(column))


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
