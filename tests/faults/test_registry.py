"""The registry away when a worker starts: what it said before is known, and the streams and the outbox go on."""

import pytest

from backoffice.contracts.catalogue import TOPICS
from backoffice.localstack.stack import Stack
from backoffice.simulator.events.envelope import Event
from backoffice.streams.outbox.emitting import emit
from backoffice.streams.schemas import our_registry
from tests.faults.checks import nothing_lost_or_doubled
from tests.faults.load import some_events, under_load
from tests.faults.progress import gone_on
from tests.faults.test_relay import NOW, UNSENT
from tests.spine import Spine, kill, until

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("own_stack")]
STREAMS = ("trading", "wallet")


def test_a_worker_that_starts_while_the_registry_is_away_goes_on(faulty_spine: Spine, own_stack: Stack) -> None:
    spine, registry = faulty_spine, own_stack.part("registry")
    acts = [event for event in some_events(seed=82, count=2_000) if event.record == "OperatorAction"]
    # As `topics --apply` does; of some records the first event may come when nobody can be asked.
    our_registry().ensure(record for topic in TOPICS.values() for record in topic.records)
    with under_load(spine, seed=71, rate=200) as load:
        worker = spine.worker(",".join([*STREAMS, "outbox"]))
        _emitted_and_sent(spine, acts[0])
        for stream in STREAMS:
            gone_on(spine, stream)
        registry.kill()
        kill(worker)

        spine.worker(",".join([*STREAMS, "outbox"]))
        for stream in STREAMS:
            gone_on(spine, stream)
        _emitted_and_sent(spine, acts[1])

        assert not registry.running
        registry.start()
    spine.drain()

    nothing_lost_or_doubled(spine, [*load.sent, *acts[:2]])
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 0


def _emitted_and_sent(spine: Spine, act: Event) -> None:
    emit(act.record, act.body, key=act.key, now=NOW)
    until(lambda: not spine.value(UNSENT), "the outbox is empty")
