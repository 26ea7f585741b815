"""More than one reader of a topic, each with its own records, place, sink and account of every message."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from backoffice.contracts.codec import encode, frame
from backoffice.kernel.ids import derived_id
from backoffice.streams.store.projection import STREAMS, Stream
from tests.spine import Spine, until
from tests.streams.arriving import event_of
from tests.streams.checkpoints import Checkpoints, reading

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'streams_known_schema'::regclass"
BETS, WALLET = "bet-events", "wallet-transactions"


def messages(spine: Spine, record: str, count: int, start: int = 0) -> list[bytes]:
    """Different events of one record."""
    schema_id = spine.registry.register(record)
    events = (
        event_of(record, event_id=fresh(record, "event", number), bet_id=fresh(record, "bet", number))
        for number in range(start, start + count)
    )
    return [frame(schema_id, encode(record, event)) for event in events]


def fresh(*names: object) -> str:
    return str(derived_id("test of readers", *map(str, names)))


@pytest.fixture
def settlers() -> Iterator[Stream]:
    """A second stream on bets, which takes settlements only and has no table of its own."""
    stream = Stream("settlers")

    @stream.project("BetSettled", into="streams_event", key=("stream", "event_id"), fact=True)
    def settled(events: pa.Table) -> pa.Table:
        return events.select(["event_id", "occurred_at"])

    yield stream
    del STREAMS["settlers"]


def accounts(spine: Spine, stream: str) -> dict[str, int]:
    """What became of the messages of bet-events in a stream."""
    counts = {
        table: spine.value(f"SELECT count(*) FROM streams_{table} WHERE stream = %s", stream)
        for table in ("event", "repeat", "deadletter", "halt")
    }
    stored = spine.value("SELECT sum(next) FROM streams_offset WHERE stream = %s AND topic = %s", stream, BETS)
    return counts | {"stored": int(stored)}


def test_two_streams_read_one_topic_and_account_for_it_apart(spine: Spine, settlers: Stream) -> None:
    placed, settled = messages(spine, "BetPlaced", 30), messages(spine, "BetSettled", 20)
    alien = [frame(spine.registry.register("RoundCompleted"), encode("RoundCompleted", event_of("RoundCompleted")))]
    spine.send_bytes(BETS, [*placed, *settled, *settled[:5], *alien, b"junk"], partition=0)

    spine.drain("trading", settlers.name)

    everything = 30 + 20 + 5 + 2
    assert accounts(spine, settlers.name) == {
        "event": 20, "repeat": 5, "deadletter": 2, "halt": 0, "stored": everything,
    }  # fmt: skip
    assert accounts(spine, "trading") == {"event": 0, "repeat": 5, "deadletter": 2, "halt": 0, "stored": everything}
    assert spine.value("SELECT count(*) FROM trading_bet") == 30
    assert spine.value("SELECT count(*) FROM trading_settlement") == 20


def test_a_stream_that_comes_later_begins_at_the_beginning(spine: Spine, settlers: Stream) -> None:
    spine.send_bytes(BETS, messages(spine, "BetSettled", 20), partition=1)
    spine.drain("trading")

    spine.drain(settlers.name)

    assert accounts(spine, settlers.name)["event"] == 20


def test_a_state_in_memory_with_checkpoints_is_a_sink(spine: Spine, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    spine.send_bytes(BETS, [*messages(spine, "BetPlaced", 30), *messages(spine, "BetSettled", 4)], partition=0)
    first = Checkpoints(path, spine.registry)
    with reading(spine, first):
        until(lambda: sum(first.positions_now.values()) == 34, "all is counted")
    first.counts["BetPlaced"] = 1_000_000  # lost with the process, as it was never kept

    more = [
        frame(spine.registry.register("BetPlaced"), encode("BetPlaced", event_of("BetPlaced", event_id=fresh(n))))
        for n in range(7)
    ]
    spine.send_bytes(BETS, more, partition=1)
    second = Checkpoints(path, spine.registry)
    with reading(spine, second):
        until(lambda: sum(second.positions_now.values()) == 41, "the rest is counted")

    assert second.counts == {"BetPlaced": 37}
    assert spine.value("SELECT count(*) FROM streams_offset WHERE stream = 'counting'") == 0


def test_lanes_that_meet_a_schema_at_once_lose_nothing_by_it(spine: Spine, settlers: Stream) -> None:
    """While what the registry said first is written down, which takes long here, the other lane is there already."""
    spine.send_bytes(BETS, messages(spine, "BetSettled", 30), partition=0)
    with psycopg.connect(spine.database_url) as connection:
        connection.execute("LOCK TABLE streams_known_schema IN ACCESS EXCLUSIVE MODE")
        with spine.streaming("trading", settlers.name):
            until(lambda: spine.value(WAITING), "a lane writes down what it was told")
            time.sleep(1)
            connection.rollback()
            spine.wait_drained("trading", settlers.name)

    assert accounts(spine, settlers.name) == {"event": 30, "repeat": 0, "deadletter": 0, "halt": 0, "stored": 30}
    assert accounts(spine, "trading") == {"event": 0, "repeat": 0, "deadletter": 0, "halt": 0, "stored": 30}
