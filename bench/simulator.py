"""The believable operator: how fast its events are made and sent, and how fast a history is stored.

"Simulator rate": generation, encoding and sending, in the slices of a live run and in those of a backfill, by the CPU
time of the process with all of its threads: what one core does. "Backfill rate through the pipeline": from the first
slice of a day of 10,000 players until a worker has stored the last message with all projections, fsync on. Then all of
it is reconciled.
"""

import time
from datetime import UTC, datetime, timedelta
from threading import Event as Signal

from django.conf import settings
from django.test import override_settings

from backoffice.contracts.catalogue import TOPICS
from backoffice.kernel.clock import SystemClock, microseconds
from backoffice.reconcile.runs.run import reconcile
from backoffice.simulator.durations import DAY, HOUR, MINUTE, SECOND
from backoffice.simulator.operator.engine import advance
from backoffice.simulator.operator.running import level_for
from backoffice.simulator.operator.slices import Slice
from backoffice.simulator.operator.world import World
from backoffice.simulator.producing import CountingSender
from bench.crew import crew
from bench.figures import Figures
from bench.stand import Stand

LIVE_PLAYERS, LIVE_RATE, LIVE_FEED_RATE = 40_000, 5_000.0, 200.0
# A day, in slices with as many events as a backfill makes at once.
DAY_PLAYERS, SLICE, SLICES = 10_000, 40 * MINUTE, 36
PATIENCE_SECONDS = 600.0


def run(figures: Figures, stand: Stand, *, quick: bool) -> None:
    ids = {record: stand.registry.register(record) for topic in TOPICS.values() for record in topic.records}
    sender = CountingSender(settings.KAFKA, stand.prefix, Signal())
    size = 0.01 if quick else 1.0
    players = round(LIVE_PLAYERS * size)
    live = _world(players, level_for(LIVE_RATE * size, players), timedelta(hours=2))
    live.feed_rate = LIVE_FEED_RATE * size
    _lived(live, sender, ids, SECOND, 2)
    events, seconds = _lived(live, sender, ids, SECOND, 2 if quick else 20)
    figures.rate("SIM", "simulator rate, live (CPU of one core)", events, [seconds])
    size = 0.1 if quick else 1.0
    past = _world(round(DAY_PLAYERS * size), 1.0, timedelta(days=30))
    _lived(past, sender, ids, SLICE, 2)
    events, seconds = _lived(past, sender, ids, SLICE, 1 if quick else 9)
    figures.rate("SIM", "simulator rate, history (CPU of one core)", events, [seconds])
    _backfill(figures, stand, past, sender, ids, slices=1 if quick else SLICES)
    _reconcile(figures, stand)


def _backfill(
    figures: Figures, stand: Stand, past: World, sender: CountingSender, ids: dict[str, int], *, slices: int
) -> None:
    with crew("bench.operator_worker", 1, [], stand.environ):
        _wait_stored(stand, sender)
        before, began = sender.totals.events, time.monotonic()
        _lived(past, sender, ids, SLICE, slices)
        sent, made = sender.totals.events - before, time.monotonic() - began
        _wait_stored(stand, sender)
        figures.rate("SIM", "history made and sent beside one worker", sent, [made])
        figures.rate("SIM", "backfill rate through the pipeline", sent, [time.monotonic() - began])


def _reconcile(figures: Figures, stand: Stand) -> None:
    with override_settings(KAFKA_TOPIC_PREFIX=stand.prefix):
        report = reconcile(full=True, clock=SystemClock())
    figures.add("SIM", "differences that reconcile finds in all of it", report.total, "", at_most=0)


def _world(players: int, level: float, ago: timedelta) -> World:
    now = microseconds(datetime.now(UTC) - ago)
    return World(seed=7, now=now - now % DAY + 19 * HOUR - DAY, wanted=players, level=level)


def _lived(world: World, sender: CountingSender, ids: dict[str, int], step: int, slices: int) -> tuple[int, float]:
    """Messages sent, and seconds of CPU."""
    sent, began = sender.totals.events, time.process_time()
    for _ in range(slices):
        _send(sender, advance(world, world.now + step), ids)
        sender.settle()
    return sender.totals.events - sent, time.process_time() - began


def _send(sender: CountingSender, span: Slice, ids: dict[str, int]) -> None:
    for messages in span.messages(ids):
        sender.send_all(*messages)


def _wait_stored(stand: Stand, sender: CountingSender) -> None:
    """Until every message that was sent is counted, but for those of the compacted topic, which nobody counts."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    wanted = sender.totals.events - sender.totals.per_topic["market-prices"]
    query = "SELECT coalesce(sum(count), 0)::bigint FROM metrics_window WHERE metric = 'events'"
    while time.monotonic() < deadline:
        if stand.rows(query) == [(wanted,)]:
            return
        time.sleep(0.1)
    raise TimeoutError(f"The streams stored {stand.rows(query)[0][0]} of {wanted} events.")
