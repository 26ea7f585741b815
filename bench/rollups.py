"""B4: rolling windows, folded and read; do they agree with a recount, and does any worker wait for a lock?"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from statistics import median
from typing import Any

import pyarrow as pa
from django.db import connection as django_connection

from backoffice.kernel.clock import at_microseconds
from backoffice.metrics.selectors import active_players_by_jurisdiction
from backoffice.metrics.windows import WINDOW, WINDOW_KEY, WINDOW_SUMS, bucketed
from backoffice.simulator.events.envelope import Event
from backoffice.streams.consume.decoding import decode
from backoffice.streams.database import connect
from backoffice.streams.store.copying import table_shape
from backoffice.streams.store.folding import added
from backoffice.streams.store.projection import STREAMS
from backoffice.streams.store.rows import project
from bench.bets import LICENCES, Betting
from bench.crew import crew
from bench.decode import Schemas, batches
from bench.figures import Figures, percentile
from bench.ingest import LANE, wait_assigned, wait_stored
from bench.stand import BETS, PARTITIONS, RECORDS, Feed, Stand
from wallet.selectors import ggr_by_day, ggr_by_hour, ggr_by_vertical

BATCH = 20_000
ACTIVE_PLAYERS = 10_000
KNOWN_PLAYERS = 200_000
# Whoever adds to a table waits for whoever makes its file longer just now, for as long as that takes; COPY does so too.
GROWING = "extend"

Sums = Counter[tuple[str, datetime, str, str]]


def run(figures: Figures, stand: Stand, *, quick: bool) -> None:
    _fold(figures, repetitions=1 if quick else 9)
    _drain_and_recount(figures, stand, events=4_000 if quick else 200_000)
    _read(figures, stand, reads=20 if quick else 1_000, players=1_000 if quick else KNOWN_PLAYERS)


def _fold(figures: Figures, repetitions: int) -> None:
    """Processor time, on columns as they come from the decoder."""
    now, schemas = datetime.now(UTC), Schemas()
    work = [
        decode(batch, records=RECORDS, writers=schemas, now=now).tables for batch in batches(schemas, 3 * BATCH, now)
    ]
    placed = [tables["BetPlaced"] for tables in work]
    with connect() as connection:
        shapes = {table: table_shape(connection, table) for table in STREAMS["trading"].tables()}
    # The first of all pays for what Arrow loads.
    _folded(placed[0])
    one = [_timed(lambda: [_folded(table) for table in placed]) for _ in range(repetitions)]
    every = [
        _timed(lambda: [project(tables, STREAMS["trading"], shapes, only=WINDOW) for tables in work])
        for _ in range(repetitions)
    ]
    rate = figures.rate("B4", "one window folded by minute, kind and currency", sum(map(len, placed)), one, "ev/s·core")
    figures.add("B4", "one window folded, against the target", rate / 1e6, "M ev/s", at_least=5)
    figures.rate("B4", "all windows of bet-events (2.5 an event) folded", 3 * BATCH, every, "ev/s·core")


def _folded(events: pa.Table) -> pa.Table:
    return added(bucketed(events, "bets", BETS, key=events["kind"], amount=events["stake"]), WINDOW_KEY, WINDOW_SUMS)


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _drain_and_recount(figures: Figures, stand: Stand, events: int) -> None:
    """Two workers store a load of events; meanwhile somebody looks whether anyone waits for a lock."""
    made = list(Betting(4, datetime.now(UTC)).events(events))
    feed = Feed(stand.topic())
    with crew("bench.worker", 2, LANE, stand.environ) as workers:
        wait_assigned(stand, workers)
        stand.empty()
        feed.load(stand.framed(made))
        with _lock_waits(stand) as looks:
            feed.reveal()
            wait_stored(stand, feed.ends)
    found = Counter(chain.from_iterable(looks))
    growing = found.pop(GROWING, 0)
    figures.add(
        "B4", "lock waits while two workers store", found.total(), "waits", at_most=0, looks=len(looks), found=found
    )
    figures.add("B4", "… for a table's file to grow", growing, "waits", looks=len(looks))
    wrong = _differences(stand, made)
    figures.add("B4", "windows that differ from a recount of the events", wrong, "windows", at_most=0, events=events)


@contextmanager
def _lock_waits(stand: Stand) -> Iterator[list[list[str]]]:
    """For which kinds of lock backends waited each time somebody looked, a hundred times a second."""
    looks: list[list[str]] = []
    stop = threading.Event()

    def look() -> None:
        query = (
            b"SELECT wait_event FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with stand.connect() as connection:
            while not stop.wait(0.01):
                looks.append([str(row[0]) for row in connection.execute(query)])

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield looks
    stop.set()
    thread.join()


def _differences(stand: Stand, events: Iterable[Event]) -> int:
    query = "SELECT metric, minute, key, currency, sum(count)::bigint, sum(amount)::bigint FROM metrics_window"
    counts, amounts = recounted(events)
    stored = {tuple(row[:4]): row[4:] for row in stand.rows(f"{query} GROUP BY 1, 2, 3, 4")}
    wanted = {key: (counts[key], amounts[key]) for key in counts}
    return sum(stored.get(key) != wanted.get(key) for key in stored.keys() | wanted.keys())


def recounted(events: Iterable[Event]) -> tuple[Sums, Sums]:
    """Counts and amounts of every window, one event after another, from what the events say."""
    counts: Sums = Counter()
    amounts: Sums = Counter()
    for event in events:
        body: dict[str, Any] = event.body
        minute = at_microseconds(body["occurred_at"]).replace(second=0, microsecond=0)
        hour = minute.replace(minute=0)
        for metric, key, currency, amount in _counted(event.record, body):
            spans = {"ggr": minute, "ggr_hour": hour, "ggr_day": hour.replace(hour=0)} if metric == "ggr" else None
            for name, at in (spans or {metric: minute}).items():
                counts[name, at, key, currency] += 1
                amounts[name, at, key, currency] += amount
    return counts, amounts


def _counted(record: str, body: dict[str, Any]) -> Iterator[tuple[str, str, str, int]]:
    yield "events", record, "", 0
    if record == "BetPlaced":
        yield "bets", body["kind"], body["currency"], body["stake"]
        if not body["is_free_bet"]:
            yield "stakes", "sports", body["currency"], body["stake"]
    else:
        yield "ggr", "sports", body["currency"], _revenue(record, body)


def _revenue(record: str, body: dict[str, Any]) -> int:
    """What the operator has more than before this event."""
    if record == "BetResettled":
        return int(body["previous_payout"]) - int(body["payout"])
    stake = 0 if body["is_free_bet"] else int(body["stake"])
    if record == "BetVoided":
        return int(body["previous_payout"]) - stake if body["was_settled"] else 0
    return stake - int(body["payout"])


def _read(figures: Figures, stand: Stand, reads: int, players: int) -> None:
    now = datetime.now(UTC)
    _fill(stand, now, players)
    for name, read in (
        ("GGR by vertical, last hour", lambda: ggr_by_vertical(now)),
        ("GGR by vertical and hour, last day", lambda: ggr_by_hour(now)),
        ("GGR by vertical and day, last 30 days", lambda: ggr_by_day(now)),
        ("active players by jurisdiction, now", lambda: active_players_by_jurisdiction(now)),
    ):
        times = []
        for _ in range(reads):
            began = time.perf_counter()
            found = read()
            times.append((time.perf_counter() - began) * 1000)
        if not found:
            raise RuntimeError(f"{name}: nothing was read.")
        figures.add("B4", f"{name}: median", median(times), "ms", reads=reads)
        figures.add("B4", f"{name}: p99", percentile(times, 0.99), "ms", at_most=10, reads=reads)
    django_connection.close()


def _fill(stand: Stand, now: datetime, players: int) -> None:
    """Two days of windows of four verticals and four currencies, and a month of hours and days of the revenue.

    Of all players one in twenty was here just now.
    """
    stand.empty()
    with stand.connect() as connection:
        connection.execute(
            "INSERT INTO metrics_window SELECT m, date_trunc(unit, %s::timestamptz) - ago * span,"
            " k, c, t, p, 100, 12345"
            " FROM (VALUES ('ggr', 'minute', interval '1 minute', 2880),"
            " ('stakes', 'minute', '1 minute', 2880), ('bets', 'minute', '1 minute', 2880),"
            " ('ggr_hour', 'hour', '1 hour', 720), ('ggr_day', 'day', '1 day', 30)) s(m, unit, span, number),"
            " LATERAL generate_series(0, number) ago,"
            " (VALUES ('sports', 'bet-events'), ('slots', 'game-rounds'), ('table', 'game-rounds'),"
            " ('live', 'game-rounds')) v(k, t), unnest(%s::text[]) c, generate_series(0, %s) p",
            [now, sorted({currency for _, currency in LICENCES}), PARTITIONS - 1],
        )
        connection.execute(
            "INSERT INTO metrics_activity SELECT gen_random_uuid(), 'bet-events', 'northgate',"
            " (%s::text[])[1 + i %% %s], %s::timestamptz"
            " - CASE WHEN i < %s THEN interval '14 minutes' ELSE interval '30 days' END * random()"
            " - CASE WHEN i < %s THEN interval '0' ELSE interval '15 minutes' END FROM generate_series(1, %s) i",
            [[country for country, _ in LICENCES], len(LICENCES), now, ACTIVE_PLAYERS, ACTIVE_PLAYERS, players],
        )
        connection.execute("VACUUM ANALYZE metrics_window, metrics_activity")
