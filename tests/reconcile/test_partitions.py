"""A market whose updates come through several partitions: nothing that was stored is accused of anything.

Such a topic has a producer that chooses partitions by other means than ours, or had partitions added to it.
"""

import random
from io import StringIO
from typing import Any

import pytest
from confluent_kafka import KafkaException
from django.core.management import CommandError, call_command

from backoffice.contracts.codec import encode, frame
from backoffice.simulator.events.envelope import Event
from tests.reconcile.test_keys import differences
from tests.spine import Spine, until
from tests.trading.test_newest import HOME, update

ODDS, CHANGES = "odds-feed", "trading_statuschange"
OPEN, SUSPENDED = "open", "suspended"
STORED = "SELECT sum(next) FROM streams_offset WHERE stream = 'trading' AND topic = 'odds-feed'"
HISTORY = f"SELECT version, status, is_late FROM {CHANGES} WHERE market_id = '1x2' ORDER BY id"
# Keys of the tables that are made of market updates and can be made anew.
TABLES = ("trading_sportevent", "trading_market", "trading_outcome")


class Feed:
    """Sends updates to partitions of the test's choice, and has them stored when it is told so."""

    def __init__(self, spine: Spine) -> None:
        self.spine, self.sent = spine, 0

    def tell(self, partition: int, *updates: Event) -> None:
        schema_id = self.spine.registry.register("MarketUpdate")
        values = [frame(schema_id, encode("MarketUpdate", one.body)) for one in updates]

        def is_sent() -> bool:
            try:
                self.spine.send_bytes(ODDS, values, partition=partition)
            except KafkaException:
                return False
            return True

        until(is_sent, "the partition takes messages")
        self.sent += len(values)

    def store(self) -> None:
        with self.spine.streaming("trading"):
            until(lambda: self.spine.value(STORED) == self.sent, "all updates are stored")

    def add_partitions(self, number: int) -> None:
        self.spine.add_partitions(ODDS, number)


@pytest.fixture
def feed(spine: Spine) -> Feed:
    return Feed(spine)


def nothing_is_told(spine: Spine) -> None:
    """Nothing by the clock, nothing over everything, and nothing after all that can be made anew was."""
    assert differences() == []
    assert differences(full=True) == []
    before = {table: held(spine, table) for table in (*TABLES, CHANGES)}
    for table in TABLES:
        call_command("rebuild", table, stdout=StringIO())
    with pytest.raises(CommandError, match=r"cannot be made anew from Kafka alone: triggers .*changes_only"):
        call_command("rebuild", CHANGES, stdout=StringIO())
    assert {table: held(spine, table) for table in before} == before
    assert differences() == differences(full=True) == []


def held(spine: Spine, table: str) -> list[tuple[Any, ...]]:
    return spine.rows(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1")


def changed(version: int, status: str, **changes: Any) -> Event:
    return update(version, HOME, status=status, **changes)


def test_times_of_partitions_that_overlap(feed: Feed) -> None:
    feed.tell(0, changed(1, OPEN))
    feed.tell(1, changed(2, OPEN), changed(3, SUSPENDED))
    feed.tell(0, changed(1, OPEN, market_id="another", sport_event_id="x"), changed(5, SUSPENDED))
    feed.store()

    nothing_is_told(feed.spine)


def test_what_one_partition_tells_too_late(feed: Feed) -> None:
    feed.tell(1, changed(1, OPEN), changed(5, OPEN))
    feed.store()
    assert differences() == []
    feed.tell(0, changed(3, SUSPENDED), changed(6, OPEN), changed(7, SUSPENDED))
    feed.store()
    feed.tell(1, changed(2, SUSPENDED), changed(4, OPEN), changed(8, OPEN))
    feed.store()

    late = [(3, SUSPENDED, True), (7, SUSPENDED, False), (2, SUSPENDED, True), (4, OPEN, True), (8, OPEN, False)]
    assert feed.spine.rows(HISTORY) == [(1, OPEN, False), *late]
    nothing_is_told(feed.spine)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_log_without_times(feed: Feed, at_once: bool) -> None:
    """All was logged at one moment; versions and offsets of two partitions may be the same, if not both at once."""
    feed.spine.set_topic(ODDS, **{"message.timestamp.type": "CreateTime"})
    for partition, updates in (
        (0, [changed(1, OPEN), changed(2, SUSPENDED), changed(2, OPEN), changed(4, OPEN)]),
        (1, [changed(2, OPEN), changed(1, SUSPENDED), changed(4, SUSPENDED), changed(3, SUSPENDED)]),
    ):
        feed.tell(partition, *updates)
        if not at_once:
            feed.store()
            assert differences() == []
    feed.store()

    nothing_is_told(feed.spine)


def test_partitions_that_were_added(feed: Feed) -> None:
    feed.tell(0, *(changed(1 + n, (OPEN, SUSPENDED)[n % 2]) for n in range(6)))
    feed.store()
    assert differences() == []
    for number, partition in ((3, 2), (5, 4)):
        feed.add_partitions(number)
        feed.tell(partition, *(changed(2 + 2 * n, (SUSPENDED, OPEN)[n % 2]) for n in range(partition + 2)))
        feed.store()
        assert differences() == []
    feed.tell(0, changed(3, SUSPENDED), changed(20, OPEN))
    feed.store()

    nothing_is_told(feed.spine)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_through_whichever_partition(feed: Feed, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(5):
        for _ in range(rng.randrange(1, 5)):
            feed.tell(
                rng.randrange(2),
                *(
                    changed(rng.randrange(12), rng.choice((OPEN, SUSPENDED, "closed")), market_id=rng.choice("ab"))
                    for _ in range(rng.randrange(1, 6))
                ),
            )
        feed.store()
        assert differences() == []

    nothing_is_told(feed.spine)


@pytest.mark.parametrize(
    "change",
    [
        "status = 'cancelled'", "version = version + 1", "version_offset = version_offset + 1", "is_late = NOT is_late",
        "version_logged_at = version_logged_at + interval '1 ms'", "source_partition = 1 - source_partition",
        "source_partition = 7", "source_generation = 1", "source_offset = source_offset + 100", "source_offset = -1",
        "source_offset = NULL", "source_generation = NULL, source_partition = NULL, source_offset = NULL",
    ],
)  # fmt: skip
def test_a_row_that_was_altered_is_named(feed: Feed, change: str) -> None:
    feed.tell(0, changed(1, OPEN), changed(3, SUSPENDED))
    feed.tell(1, changed(2, OPEN, market_id="2", sport_event_id="2"), changed(4, OPEN))
    feed.store()
    assert differences() == []

    feed.spine.rows(f"UPDATE {CHANGES} SET {change} WHERE market_id = '1x2' AND version = 3 RETURNING 1")

    assert ("statuses", f"{CHANGES} market_id=1x2") in differences(full=True)


def test_rows_of_before_are_believed_as_far_as_they_lead_to_their_markets(feed: Feed) -> None:
    feed.tell(0, changed(1, OPEN), changed(3, SUSPENDED))
    feed.tell(1, changed(2, OPEN), changed(4, OPEN))
    feed.store()
    call_command("migrate", "trading", "0015", verbosity=0)
    call_command("migrate", verbosity=0)
    sources = f"SELECT is_late, num_nulls(source_generation, source_partition, source_offset) FROM {CHANGES}"
    assert feed.spine.rows(sources) == [(False, 3)] * 3

    feed.tell(0, changed(5, SUSPENDED))
    feed.store()
    nothing_is_told(feed.spine)

    feed.spine.rows(f"UPDATE {CHANGES} SET status = 'closed' WHERE version = 4 RETURNING 1")
    assert differences(full=True) == []
    feed.spine.rows(f"UPDATE {CHANGES} SET status = 'suspended' WHERE version = 4 RETURNING 1")
    assert differences(full=True) == [("statuses", f"{CHANGES} market_id=1x2")]
