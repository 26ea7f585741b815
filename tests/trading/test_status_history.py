"""Of each market its history of statuses, in whatever batches, partitions and order its updates are stored."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from backoffice.contracts.examples import MOMENT
from backoffice.kernel.clock import FixedClock, milliseconds
from backoffice.kernel.ids import derived_id
from backoffice.streams.consume.batch import Batch
from backoffice.streams.database import connect
from backoffice.streams.store import offsets
from backoffice.streams.store.projection import STREAMS
from backoffice.streams.store.sink import TableSink
from tests.spine import until
from tests.streams.arriving import NOW, KnownWriters, event_of, message
from trading import journal
from trading.live import statuses
from trading.models import Market

TOPIC, MATCH, MARKET = "odds-feed", "match-1", "1x2"
OPEN, SUSPENDED, CLOSED = "open", "suspended", "closed"
# Version and status of an update.
Update = tuple[int, str]


class Feed:
    """A worker that stores what comes of one market; each batch is of one partition."""

    def __init__(self) -> None:
        self.connection = connect()
        self.sink = TableSink(STREAMS["trading"], TOPIC, KnownWriters(), FixedClock(NOW))
        self.sink.use(self.connection)
        if not offsets.stored(self.connection, "trading", TOPIC):
            offsets.begin(self.connection, "trading", TOPIC, {0: 0, 1: 0}, NOW)

    def store(self, *updates: Update, partition: int = 0, after: int = 0, market: str = MARKET) -> None:
        """``after`` is how long after the first of all it was logged, in milliseconds."""
        batch = self.batch(*updates, partition=partition, after=after, market=market)
        assert [stored.batch.dead for stored in self.sink.commit(self.sink.prepare(batch))] == [{}]

    def batch(self, *updates: Update, partition: int = 0, after: int = 0, market: str = MARKET) -> Batch:
        batch, start = Batch(TOPIC), offsets.stored(self.connection, "trading", TOPIC)[partition]
        for offset, (version, status) in enumerate(updates, start):
            event = event_of(
                "MarketUpdate", event_id=str(derived_id(TOPIC, str(partition), str(offset))), version=version,
                status=status, market_id=market, sport_event_id=MATCH, occurred_at=MOMENT + timedelta(minutes=version),
            )  # fmt: skip
            logged = milliseconds(MOMENT + timedelta(hours=1)) + after
            batch.add(partition=partition, offset=offset, key=b"k", value=message("MarketUpdate", event), start=start,
                      logged=logged)  # fmt: skip
        return batch


@pytest.fixture
def feed(database: str) -> Iterator[Feed]:
    feed = Feed()
    with feed.connection:
        yield feed


def told() -> list[tuple[int, str, str]]:
    """Version, status and whether it came too late, as those who follow the journal have it."""
    return [
        (int(str(row["version"])), str(row["status"]), "late" if row["late"] else "")
        for _, row in statuses(MATCH, None).entries
    ]


def status_of_market() -> str:
    return Market.objects.get(id=MARKET).status


def test_a_market_that_opens_in_a_run_that_began_too_late_is_told_to_be_open(feed: Feed) -> None:
    feed.store((1, OPEN), (5, SUSPENDED))

    feed.store((4, OPEN), (6, OPEN))

    assert told() == [(1, OPEN, ""), (5, SUSPENDED, ""), (6, OPEN, "")]
    assert status_of_market() == OPEN


@pytest.mark.parametrize("together", [True, False])
def test_each_status_that_comes_and_goes_within_a_batch_is_told(feed: Feed, together: bool) -> None:
    updates = [(1, SUSPENDED), (2, OPEN), (3, OPEN), (4, SUSPENDED), (5, SUSPENDED), (6, OPEN), (7, SUSPENDED)]
    for batch in [updates] if together else [[update] for update in updates]:
        feed.store(*batch)

    assert told() == [(n, status, "") for n, status in updates if n not in (3, 5)]


def test_a_suspension_that_is_stored_too_late_is_told_as_such_and_shuts_nothing(feed: Feed) -> None:
    feed.store((1, OPEN))
    feed.store((5, OPEN), partition=1)

    feed.store((3, SUSPENDED))

    assert told() == [(1, OPEN, ""), (3, SUSPENDED, "late")]
    assert status_of_market() == OPEN

    feed.store((6, SUSPENDED), partition=1)
    assert told() == [(1, OPEN, ""), (3, SUSPENDED, "late"), (6, SUSPENDED, "")]


def test_of_what_comes_too_late_only_what_is_new_is_told(feed: Feed) -> None:
    feed.store((1, OPEN), (3, SUSPENDED), (5, OPEN), (9, OPEN))

    for late in [(2, OPEN), (4, SUSPENDED), (6, OPEN), (7, OPEN), (3, SUSPENDED)]:
        feed.store(late, partition=1)
    assert len(told()) == 3

    feed.store((7, CLOSED), (8, OPEN), partition=1)
    feed.store((8, OPEN), partition=1)
    assert told()[3:] == [(7, CLOSED, "late"), (8, OPEN, "late")]


def test_of_updates_at_one_place_the_journal_has_the_one_that_the_market_has(feed: Feed) -> None:
    """Two partitions, one version, one moment, one offset."""
    for batches in ([[0, 1]], [[1, 0]], [[0], [1]], [[1], [0]]):
        feed.connection.execute("TRUNCATE trading_market, trading_statuschange, streams_offset")
        offsets.begin(feed.connection, "trading", TOPIC, {0: 0, 1: 0}, NOW)
        parts = [feed.batch((5, OPEN), partition=0), feed.batch((5, SUSPENDED), partition=1)]
        for numbers in batches:
            joined = Batch(TOPIC)
            for number in numbers:
                (value,), (logged,) = parts[number].values, parts[number].logged
                joined.add(partition=number, offset=0, key=b"k", value=value, start=0, logged=logged)
            list(feed.sink.commit(feed.sink.prepare(joined)))

        assert [status for _, status, _ in told()] == [status_of_market()], batches


def test_who_follows_misses_nothing_where_two_workers_store_updates_of_one_match(feed: Feed) -> None:
    """The second waits for the first before it draws its numbers and judges what is late."""
    feed.store((1, OPEN))
    cursor = statuses(MATCH, None).cursor
    other = Feed()
    with other.connection:
        storing = threading.Thread(target=other.store, args=((3, SUSPENDED), (6, SUSPENDED)), kwargs={"partition": 1})
        with feed.connection.transaction():
            feed.store((4, OPEN), (5, SUSPENDED))
            storing.start()
            until(lambda: is_waiting(other.connection), "the second worker waits")
            seen = statuses(MATCH, cursor)
        storing.join(30)
    assert seen.entries == []
    found = statuses(MATCH, seen.cursor)

    rows = [(row["version"], row["status"], row["late"]) for _, row in found.entries]
    assert rows == [(5, SUSPENDED, False), (3, SUSPENDED, True)]


def is_waiting(connection: psycopg.Connection[Any]) -> bool:
    with connect() as watching:
        query = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
        return bool(watching.execute(query, [connection.info.backend_pid]).fetchall() == [(True,)])


def test_what_follows_the_cursor_is_oldest_first(feed: Feed) -> None:
    feed.store((1, OPEN), (2, SUSPENDED))
    first = journal.newest_statuses(MATCH, 1)
    feed.store((3, OPEN))

    assert [status.version for status in journal.statuses_since(MATCH, first[0].id)] == [3]
