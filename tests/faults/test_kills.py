"""kill -9 of a worker: before, in, at the end of and after its transaction, and at any moment."""

import random
import threading

import pytest

from tests.faults.checks import nothing_lost_or_doubled
from tests.faults.load import under_load
from tests.faults.locks import held, until_one_waits
from tests.faults.progress import gone_on
from tests.spine import Spine, kill

STREAM = "wallet"
# In the order in which a transaction comes to them: its offsets, its first rows, the merged ones.
PLACES = ("streams_offset", "wallet_transaction", "wallet_balance", "metrics_window")


def test_a_worker_killed_in_its_transaction_leaves_nothing_half_done(spine: Spine) -> None:
    with under_load(spine, seed=51, rate=200) as load:
        for table in PLACES:
            worker = spine.worker(STREAM)
            gone_on(spine, STREAM)
            with held(spine, table):
                until_one_waits(spine)
                kill(worker)
    spine.drain()

    nothing_lost_or_doubled(spine, load.sent)


@pytest.mark.parametrize("seed", [1, 2])
def test_workers_killed_at_any_moment_lose_and_double_nothing(spine: Spine, seed: int) -> None:
    rng = random.Random(f"kills {seed}")
    with under_load(spine, seed=seed, rate=300, repeats=0.02, garbage=0.01) as load:
        for _ in range(3):
            worker = spine.worker(STREAM)
            gone_on(spine, STREAM)
            _moment(rng.uniform(0.0, 0.8))
            kill(worker)
    spine.drain()

    nothing_lost_or_doubled(spine, load.sent)
    assert spine.value("SELECT count(*) FROM streams_deadletter") == load.bad


def _moment(seconds: float) -> None:
    """The instant of a kill is what this test is about; nothing tells of it."""
    threading.Event().wait(seconds)
