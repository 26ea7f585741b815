"""A partition that is new to a stream begins where its topic does, also while the stream goes over to another topic."""

import threading
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from backoffice.kernel.actor import Actor
from backoffice.kernel.clock import FixedClock
from backoffice.kernel.errors import Retryable
from backoffice.streams.consume.halting.skipping import adopt
from backoffice.streams.kafka.logs import Log
from backoffice.streams.models import Offset, Reading
from backoffice.streams.store.projection import STREAMS
from backoffice.streams.store.sink import TableSink
from tests import databases
from tests.spine import until
from tests.streams.arriving import NOW, KnownWriters

STREAM, TOPIC = "trading", "bet-events"
# The former topic had lost its first messages in each partition, the new one has all.
FORMER_BEGIN, STORED = 50, 60
NEW = Log("new", begins={0: 0, 1: 0}, ends={0: 3, 1: 3})


@pytest.fixture(autouse=True)
def former(database: str) -> str:
    """A stream that has stored one partition of a topic; that has been made anew."""
    Reading.objects.create(stream=STREAM, topic=TOPIC, topic_id="former", generation=0, begun_at=NOW)
    Offset.objects.create(stream=STREAM, topic=TOPIC, partition=0, next=STORED, updated_at=NOW)
    return databases.beside(settings.DATABASE_URL, database)


def go_over() -> None:
    adopt(stream=STREAM, topic=TOPIC, log=NEW, actor=Actor("a person", "operator"), reason="a test", now=NOW)


def begun() -> dict[int, int]:
    return dict(Offset.objects.filter(stream=STREAM, topic=TOPIC).values_list("partition", "next"))


def test_where_the_former_topic_began_is_not_kept_once_the_stream_has_gone_over() -> None:
    sink = TableSink(STREAMS[STREAM], TOPIC, KnownWriters(), FixedClock(NOW))

    def first(_: int) -> int:
        go_over()
        return FORMER_BEGIN

    with pytest.raises(Retryable, match="has gone over to another bet-events"):
        sink.positions({0, 1}, first, 0)

    assert begun() == {0: 0}
    found = sink.positions({0, 1}, lambda _: 0, 1)
    assert {partition: position.next for partition, position in found.items()} == {0: 0, 1: 0}


@dataclass
class Adopting:
    """A clock that is asked in the midst of it: a person goes over to the new topic then, or waits until it is done."""

    url: str
    threads: list[threading.Thread] = field(default_factory=list)

    def now(self) -> datetime:
        person = threading.Thread(target=self._go_over)
        self.threads.append(person)
        person.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        with psycopg.connect(self.url, autocommit=True) as looking:
            until(lambda: not person.is_alive() or looking.execute(waits).fetchone() != (0,), "it is done, or waits")
        return NOW

    @staticmethod
    def _go_over() -> None:
        try:
            go_over()
        finally:
            connection.close()


def test_whoever_goes_over_meanwhile_finds_the_partition_begun_and_begins_it_anew(former: str) -> None:
    clock = Adopting(former)
    sink = TableSink(STREAMS[STREAM], TOPIC, KnownWriters(), clock)

    found = sink.positions({0, 1}, lambda _: FORMER_BEGIN, 0)

    assert {partition: position.next for partition, position in found.items()} == {0: STORED, 1: FORMER_BEGIN}
    for person in clock.threads:
        person.join(20)
        assert not person.is_alive()
    assert begun() == {0: 0, 1: 0}
