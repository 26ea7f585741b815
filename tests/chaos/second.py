"""A second stream on one of the topics, with tables of its own: a seed draws the topic, and all or some of its records.

Workers learn the records from a variable, and declare the stream as any app does.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc

from backoffice.contracts.catalogue import TOPICS
from backoffice.simulator.events.envelope import Event
from backoffice.streams.store.projection import STREAMS, Stream, renamed
from tests.faults import oracle
from tests.faults.load import Load
from tests.faults.oracle import Difference
from tests.spine import Spine

from .apps import VARIABLE

NAME = "second"
ROWS, COUNTS = "second_row", "second_count"
MAKE_TABLES = f"""
    CREATE TABLE {ROWS} (
        event_id uuid PRIMARY KEY, record text NOT NULL, brand text NOT NULL, occurred_at timestamptz NOT NULL,
        source_partition smallint NOT NULL, source_offset bigint NOT NULL, digest bigint NOT NULL
    );
    CREATE TABLE {COUNTS} (
        minute timestamptz NOT NULL, partition smallint NOT NULL, count bigint NOT NULL, PRIMARY KEY (minute, partition)
    )
"""
_MINUTE = 60_000_000
# The stream that takes all of the topic cannot store such a message either, or has its event already.
_ALONE = """
    SELECT 'dead letter', topic, partition, "offset", reason FROM streams_deadletter d
    WHERE stream = %s AND NOT EXISTS (
        SELECT FROM streams_deadletter o WHERE o.stream <> d.stream
        AND (o.topic, o.partition, o."offset") = (d.topic, d.partition, d."offset")
    )
    UNION ALL
    SELECT 'repeat', topic, partition, "offset", record FROM streams_repeat r
    WHERE stream = %s AND NOT EXISTS (
        SELECT FROM streams_repeat o WHERE o.stream <> r.stream
        AND (o.topic, o.partition, o."offset") = (r.topic, r.partition, r."offset")
    )
"""
# Those on which money and people stand, each with more records than one.
_TOPICS = ("bet-events", "wallet-transactions", "player-events")

Records = tuple[str, ...]


def drawn(rng: random.Random) -> Records:
    """The records of the second stream, all or some of a topic's; for half of the seeds none, and no such stream."""
    records = TOPICS[rng.choice(_TOPICS)].records
    some = rng.sample(records, rng.randrange(1, len(records)))
    return rng.choice(((), (), tuple(records), tuple(some)))


def environ(records: Records) -> dict[str, str]:
    """The variables of a worker that is to run it."""
    return {"DJANGO_SETTINGS_MODULE": "tests.chaos.settings", VARIABLE: ",".join(records)}


@contextmanager
def declared(records: Records) -> Iterator[None]:
    """The stream is known here as well, until the block ends."""
    if records:
        declare(records)
    try:
        yield
    finally:
        STREAMS.pop(NAME, None)


def declare(records: Records) -> None:
    """Enter the stream in this process."""
    stream = Stream(NAME)

    @stream.project(*records, into=ROWS, key="event_id", fact=True)
    def seen(events: pa.Table) -> pa.Table:
        return events.select(["event_id", "brand", "occurred_at"])

    @stream.project(*records, into=COUNTS, key=("minute", "partition"), adding=("count",))
    def counted(events: pa.Table) -> pa.Table:
        rows = renamed(events, minute="occurred_at", partition="source_partition")
        minutes = pc.floor_temporal(rows["minute"], unit="minute")
        return rows.set_column(0, "minute", minutes).append_column("count", pa.repeat(1, len(rows)))


def differences(spine: Spine, load: Load, records: Records) -> list[Difference]:
    """What its tables hold otherwise than they must.

    An event under another's id is no clash for a stream that does not take the other one.
    """
    if not records:
        return []
    alone = [other for first, other in load.clashes if first.record not in records]
    events = list(oracle.distinct(event for event in [*load.sent, *alone] if event.record in records))
    return [
        *(
            Difference("lost", f"{topic}[{partition}]@{offset}", f"a {kind} of the second stream alone: {why}")
            for kind, topic, partition, offset, why in spine.rows(_ALONE, NAME, NAME)
        ),
        *oracle.compared(ROWS, _rows(events), f"SELECT event_id, record, brand, occurred_at FROM {ROWS}", spine.rows),
        *oracle.compared(
            COUNTS, _counts(events), f"SELECT minute, sum(count)::bigint FROM {COUNTS} GROUP BY 1", spine.rows
        ),
    ]


def _rows(events: list[Event]) -> dict[oracle.Key, oracle.Key]:
    return {
        (event.body["event_id"],): (event.record, event.body["brand"], event.body["occurred_at"]) for event in events
    }


def _counts(events: list[Event]) -> dict[oracle.Key, oracle.Key]:
    minutes = Counter(event.body["occurred_at"] // _MINUTE * _MINUTE for event in events)
    return {(minute,): (count,) for minute, count in minutes.items()}
