"""A worker that has more to do than it can: it ends in time, keeps its memory and keeps its place in the group."""

import os
from functools import reduce
from pathlib import Path
from uuid import uuid4

from backoffice.contracts.codec import encode, frame
from tests.faults.checks import nothing_lost_or_doubled
from tests.faults.groups import assignments
from tests.faults.load import some_events, under_load
from tests.faults.locks import held, until_one_waits
from tests.faults.progress import gone_on
from tests.spine import Process, Spine

MEGABYTE = 1 << 20
CEILING = 700 * MEGABYTE
FLOOD, ROUNDS = 60_000, 3


def test_a_worker_ends_within_ten_seconds_under_load(spine: Spine) -> None:
    with under_load(spine, seed=71, rate=500) as load:
        worker = spine.worker()
        gone_on(spine, "wallet")
        worker.terminate()
        assert worker.wait(10) == 0
    spine.drain()

    nothing_lost_or_doubled(spine, load.sent)


def test_a_worker_that_cannot_store_takes_no_more_than_it_can_hold(spine: Spine) -> None:
    """Postgres makes it wait while producers flood; it stays in its group, bounded, and goes on where it was."""
    worker = spine.worker("wallet", STREAM_BATCH_SIZE="1000")
    _flood(spine, 100)
    gone_on(spine, "wallet")
    members = assignments(spine, "wallet", "game-rounds")
    sizes = []

    with held(spine, "streams_offset"):
        for _ in range(ROUNDS):
            flood = _flood(spine, FLOOD)
            until_one_waits(spine)
            sizes.append(_resident(worker))
        assert assignments(spine, "wallet", "game-rounds") == members
    assert max(sizes) < CEILING, [size // MEGABYTE for size in sizes]
    # With the first flood it fills what it may hold.
    assert sizes[-1] - sizes[1] < flood // 2, [size // MEGABYTE for size in sizes]

    spine.wait_drained("wallet")
    assert spine.value("SELECT count(*) FROM wallet_round") == 100 + ROUNDS * FLOOD
    assert spine.value("SELECT count(*) FROM streams_repeat") == 0
    assert assignments(spine, "wallet", "game-rounds") == members


def _flood(spine: Spine, count: int) -> int:
    """Rounds that differ in their ids alone, as many as asked for; returns how many bytes they are."""
    event = next(event for event in some_events(seed=72, count=None) if event.record == "RoundCompleted")
    model = frame(spine.registry.register(event.record), encode(event.record, event.body))
    own = [str(event.body[name]).encode() for name in ("event_id", "round_id")]
    values = [reduce(lambda value, old: value.replace(old, str(uuid4()).encode()), own, model) for _ in range(count)]
    spine.send_bytes("game-rounds", values, partition=0)
    return count * len(model)


def _resident(process: Process) -> int:
    """Bytes of memory that the process holds."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
