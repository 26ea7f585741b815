"""Two workers share the partitions; one comes and goes under load."""

from typing import Any

from backoffice.contracts.catalogue import TOPICS
from backoffice.streams.store.projection import STREAMS
from tests.faults.checks import nothing_lost_or_doubled
from tests.faults.groups import assignments
from tests.faults.load import under_load
from tests.spine import Spine, until

STREAM, TOPIC = "wallet", "wallet-transactions"


def test_a_second_worker_takes_its_share_and_gives_it_back_under_load(spine: Spine) -> None:
    lanes = sum(1 for topic in TOPICS.values() if STREAMS[STREAM].records() & set(topic.records))
    with under_load(spine, seed=41, rate=300) as load:
        spine.worker(STREAM)
        until(lambda: _shares(spine) == [spine.partitions], "the first worker has all partitions")
        second = spine.worker(STREAM)
        until(lambda: _shares(spine) == [1] * spine.partitions, "both workers have a share")
        stored = _stored(spine)
        until(
            lambda: all(now > then for now, then in zip(_stored(spine), stored, strict=True)), "both store their share"
        )
        second.terminate()
        assert second.wait(20) == 0
        until(lambda: _shares(spine) == [spine.partitions], "the first worker has all partitions again")
        stored = _stored(spine)
        until(lambda: all(now > then for now, then in zip(_stored(spine), stored, strict=True)), "all goes on")
    assert lanes == 2

    spine.drain()
    nothing_lost_or_doubled(spine, load.sent)


def _shares(spine: Spine) -> list[int]:
    """How many partitions each worker has, of those that have any."""
    return sorted(len(share) for share in assignments(spine, STREAM, TOPIC).values() if share)


def _stored(spine: Spine) -> list[Any]:
    query = "SELECT next FROM streams_offset WHERE stream = %s AND topic = %s ORDER BY partition"
    return [following for (following,) in spine.rows(query, STREAM, TOPIC)]
