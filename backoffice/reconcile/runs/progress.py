"""How far the rounds through history are, in lines for a person."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from ..books import BY_THE_CLOCK
from ..differences import Difference
from ..known import known_gaps
from ..messages.log import Log
from ..models import Run
from ..positions import Position, positions
from . import circle
from .transactions import Pulse
from .walks import rows_of, table_of


def status(now: datetime) -> Iterator[str]:
    """The last runs, each partition's round, and each table's.

    Raises:
        Retryable: Kafka is away.
    """
    with Log(settings.KAFKA, settings.KAFKA_TOPIC_PREFIX, Pulse()) as log, connection.cursor() as cursor:
        read = positions(cursor, log, BY_THE_CLOCK, known_gaps(cursor))
    for full, name in ((False, "by the clock"), (True, "over everything")):
        run = Run.objects.filter(full=full).order_by("-started_at").first()
        yield f"last run {name}: {_of_run(run, now)}"
    yield _of_pace(read)
    for one in circle.rounds(read):
        place, part = one.place, (one.at - one.low) / one.length
        yield (
            f"{place.stream} {place.topic}[{place.partition}]: {part:.0%} of {one.length:,} messages read again,"
            f" {place.rounds} rounds done{_since(place.round_began_at, now)}"
        )
    walks = list(BY_THE_CLOCK.walks._default_manager.order_by("name"))
    for slow in _too_slow_along({table_of(walk.name) for walk in walks}):
        yield f"tables: {slow.says}"
    for walk in walks:
        yield f"{walk.name}: {walk.rounds} rounds done{_since(walk.round_began_at, now)}"


def _of_run(run: Run | None, now: datetime) -> str:
    if run is None:
        return "none"
    if run.finished_at is None:
        how = "goes on with it" if run.is_counted else "begins anew"
        return f"began {_ago(run.started_at, now)} and was not finished; `--full` {how}"
    found = "clean" if run.is_clean else f"{run.total} differences" if run.total else "not all was checked"
    return f"{_ago(run.finished_at, now)}, {sum(run.checked.values()):,} messages, {found}"


def _of_pace(read: list[Position]) -> str:
    pace, rounds = circle.of_messages(), circle.rounds(read)
    total = circle.history(rounds)
    told = f"history: {total:,} messages, {pace.share(total, pace.every):,} read again every {_span(pace.every)}"
    for slow in circle.too_slow(rounds):
        return f"{told}. {slow.says}"
    return f"{told}; all of it within {_span(pace.within)}"


def _too_slow_along(tables: Collection[str]) -> Iterator[Difference]:
    with connection.cursor() as cursor:
        rows = {table: rows_of(cursor, table) for table in sorted(tables)}
    return circle.too_slow_along(rows)


def _since(began_at: datetime | None, now: datetime) -> str:
    return f", this one for {_span(now - began_at)}" if began_at else ""


def _ago(at: datetime, now: datetime) -> str:
    return f"{_span(now - at)} ago"


def _span(span: timedelta) -> str:
    return str(timedelta(seconds=round(span.total_seconds())))
