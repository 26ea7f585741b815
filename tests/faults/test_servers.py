"""Each server stopped, and killed, and started again under load: the streams wait and go on."""

import pytest

from backoffice.localstack.stack import Stack
from backoffice.localstack.supervise import Part
from tests.faults.checks import nothing_lost_or_doubled
from tests.faults.groups import assignments
from tests.faults.load import some_events, under_load
from tests.faults.progress import gone_on, stored
from tests.spine import Process, Spine, kill, until

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("own_stack")]
STREAMS = ("wallet", "trading")
# So many events of that seed have each record: of a schema that it has not met, a worker has to ask the registry.
EVERY_RECORD = 10_000


def _working(spine: Spine) -> Process:
    worker = spine.worker(",".join([*STREAMS, "outbox"]))
    for stream in STREAMS:
        gone_on(spine, stream)
    return worker


def _down_and_up(part: Part, how: str) -> None:
    part.kill() if how == "killed" else part.stop()
    part.start()


@pytest.mark.parametrize("name", ["postgres", "kafka"])
def test_the_streams_wait_for_a_server_that_they_cannot_do_without(
    faulty_spine: Spine, own_stack: Stack, name: str
) -> None:
    spine = faulty_spine
    with under_load(spine, seed=61, rate=200, garbage=0.01) as load:
        worker = _working(spine)
        for how in ("stopped", "killed"):
            _down_and_up(own_stack.part(name), how)
            for stream in STREAMS:
                gone_on(spine, stream)
        assert worker.poll() is None
    spine.drain()

    nothing_lost_or_doubled(spine, load.sent)
    assert spine.value("SELECT count(*) FROM streams_deadletter") == load.bad


def test_the_streams_do_without_redis(faulty_spine: Spine, own_stack: Stack) -> None:
    spine, redis = faulty_spine, own_stack.part("redis")
    with under_load(spine, seed=62, rate=200) as load:
        worker = _working(spine)
        members = assignments(spine, "wallet", "wallet-transactions")
        redis.kill()
        for stream in STREAMS:
            gone_on(spine, stream)
        second = spine.worker("players")
        gone_on(spine, "players")
        redis.start()
        redis.stop()
        for stream in STREAMS:
            gone_on(spine, stream)
        assert assignments(spine, "wallet", "wallet-transactions") == members
        for process in (worker, second):
            process.terminate()
            assert process.wait(15) == 0
        redis.start()
    spine.drain()

    nothing_lost_or_doubled(spine, load.sent)


def test_a_worker_that_knows_no_schema_waits_for_the_registry(faulty_spine: Spine, own_stack: Stack) -> None:
    """It can read nothing, and must not take that for bad messages."""
    spine, registry = faulty_spine, own_stack.part("registry")
    before_load = list(some_events(63, EVERY_RECORD))
    spine.send(before_load)
    worker = spine.worker(",".join([*STREAMS, "outbox"]))
    spine.wait_drained(*STREAMS)
    with under_load(spine, seed=63, rate=200) as load:
        registry.stop()
        for stream in STREAMS:
            gone_on(spine, stream)
        kill(worker)
        assert spine.rows("DELETE FROM streams_known_schema RETURNING 1")
        before = stored(spine, "wallet")
        second = spine.worker("wallet,trading,outbox")
        until(lambda: len(assignments(spine, "wallet", "wallet-transactions")) == 1, "the new worker has joined")
        registry.kill()
        assert stored(spine, "wallet") == before
        registry.start()
        # The registry answers 500 for up to half a minute after its start.
        gone_on(spine, "wallet", timeout=120)
        assert second.poll() is None
    spine.drain()

    nothing_lost_or_doubled(spine, before_load + load.sent)
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 0
