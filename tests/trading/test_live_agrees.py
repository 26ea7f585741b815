"""Whatever is stored in whatever order: a page that hears of each batch shows what Postgres says, at any moment.

The histories are drawn: two partitions, versions that fall and repeat, messages of one millisecond and one offset, dead
letters sent again, late ones, producers whose clocks are ahead, ids that hold what keys are joined by, providers
suspended and released. The page is what a web process keeps, told through the messages that Redis carries.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice.contracts.examples import MOMENT
from backoffice.kernel.clock import FixedClock, milliseconds
from backoffice.kernel.ids import derived_id
from backoffice.live.board import Board, Rows
from backoffice.live.messages import Message, encoded, parsed
from backoffice.streams.consume.batch import Batch
from backoffice.streams.database import connect
from backoffice.streams.store import announcing, offsets
from backoffice.streams.store.announcing import Events, Listener
from backoffice.streams.store.projection import STREAMS
from backoffice.streams.store.sink import TableSink
from tests.streams.arriving import NOW, KnownWriters, event_of, message
from tests.streams.stored import Logged
from trading.live import announcement, prices
from trading.models import ProviderSuspension

MATCH, TOPIC = "match/1", "odds-feed"
SAID = ("market_id", "provider", "version", "status")
CAUSES = ProviderSuspension.Cause
LOG_BEGINS = milliseconds(MOMENT)

ids = st.sampled_from(["a", "b", "a/b", "b/c", "a%2Fb", "%", "/"])
providers = st.sampled_from(["north", "south"])
ticks = st.integers(0, 3)
outcomes = st.lists(st.fixed_dictionaries({"outcome_id": ids, "back_odds": st.integers(2_000, 2_002)}), max_size=3,
                    unique_by=lambda outcome: outcome["outcome_id"])  # fmt: skip
updates = st.fixed_dictionaries(
    {
        "market_id": ids, "provider": providers, "version": st.integers(0, 2), "outcomes": outcomes,
        "status": st.sampled_from(["open", "open", "suspended", "closed"]), "ahead": st.sampled_from([0, 0, 600]),
    }
)  # fmt: skip
# An update where it stands: its partition, how long after the one before it was logged, and where it was at first.
told = st.tuples(updates, st.integers(0, 1), ticks, st.none() | st.none() | st.tuples(ticks, st.integers(0, 3)))
steps = st.one_of(
    st.tuples(st.just("store"), st.lists(told, min_size=1, max_size=4)),
    st.tuples(st.just("repeat"), st.integers(0, 9)),
    st.tuples(st.just("suspend"), providers, st.sampled_from(CAUSES), ticks),
    st.tuples(st.just("release"), providers, ticks),
    # A worker commits while a page is read.
    st.tuples(st.just("store while it is read"), st.lists(told, min_size=1, max_size=2)),
)


@dataclass
class World:
    """The tables, and what a web process has read and folded of what it was told."""

    sink: TableSink
    heard: list[Events]
    board: Board = field(default_factory=lambda: Board("market"))
    ends: Counter[int] = field(default_factory=Counter)
    clock: Counter[int] = field(default_factory=Counter)
    log: list[Logged] = field(default_factory=list)
    said: int = 0

    def store_updates(self, batch: list[Any]) -> None:
        self._take([self._logged(*one) for one in batch])

    def repeat(self, number: int) -> None:
        """A dead letter is sent again that was stored already: it stands where it stood."""
        if self.log:
            first = self.log[number % len(self.log)]
            stood = first.stood or (first.logged, first.offset)
            offset = self._next(first.partition, 1)
            self._take([Logged(first.partition, offset, first.value, logged=self._now(first.partition), stood=stood)])

    def suspend(self, provider: str, cause: str, tick: int) -> None:
        since = MOMENT + timedelta(milliseconds=tick)
        ProviderSuspension.objects.get_or_create(
            provider=provider, cause=cause, ended_at=None, defaults={"reason": "drawn", "since": since}
        )

    def release(self, provider: str, tick: int) -> None:
        open_ones = ProviderSuspension.objects.filter(provider=provider, ended_at=None)
        open_ones.update(ended_at=MOMENT + timedelta(milliseconds=tick), ended_by="drawn")

    def read(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.board.begin_reading()
        found = prices(MATCH)
        meanwhile()
        doubts = self.fold()
        self.board.replace(found)
        if doubts:
            self.read()

    def fold(self) -> bool:
        """Take in what was told; whether something has to be read for it."""
        announcing.finish(10)
        doubts = False
        for events in self.heard:
            self.said += 1
            for updates in parsed(encoded(Message("worker", self.said, announcement(events)))).said.values():
                # Hints about statuses are for a log, which is read.
                prices_told = [] if updates is None else [each for each in updates if _is_price(each[1])]
                asked = [self.board.fold(leader, rows) for leader, rows in prices_told]
                doubts |= updates is None or any(asked)
        self.heard.clear()
        return doubts

    def shown(self) -> Rows:
        self.board.take()
        return self.board.told.rows

    def _logged(self, update: Mapping[str, Any], partition: int, tick: int, stood: tuple[int, int] | None) -> Logged:
        offset = self._next(partition, tick)
        logged = self._now(partition)
        ahead = timedelta(seconds=update["ahead"])
        told = [{"name": one["outcome_id"], "status": "active"} | one for one in update["outcomes"]]
        event = event_of(
            "MarketUpdate", event_id=str(derived_id("agrees", str(partition), str(offset))), sport_event_id=MATCH,
            occurred_at=MOMENT + ahead, outcomes=told, **{name: update[name] for name in SAID},
        )  # fmt: skip
        place = None if stood is None else (LOG_BEGINS + stood[0], stood[1])
        is_before = place is not None and place < (logged, offset)
        return Logged(
            partition, offset, message("MarketUpdate", event), logged=logged, stood=place if is_before else None
        )

    def _take(self, messages: list[Logged]) -> None:
        self.log += messages
        batch = Batch(TOPIC)
        for one in messages:
            start = batch.spans.get(one.partition, (one.offset, 0))[0]
            batch.add(
                partition=one.partition, offset=one.offset, key=MATCH.encode(), value=one.value, start=start,
                logged=one.logged,
            )  # fmt: skip
            if one.stood is not None:
                batch.replayed[one.partition, one.offset] = one.stood
        assert [stored.batch.dead for stored in self.sink.commit(self.sink.prepare(batch))] == [{}]

    def _next(self, partition: int, tick: int) -> int:
        offset = self.ends[partition]
        self.ends[partition] += 1
        self.clock[partition] += tick
        return offset

    def _now(self, partition: int) -> int:
        return LOG_BEGINS + self.clock[partition]


def _is_price(rows: Rows) -> bool:
    return any("provider" in row for row in rows.values())


@pytest.fixture
def world(house: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], World]]:
    """Makes one with empty tables."""
    heard: list[Events] = []
    monkeypatch.setattr(announcing, "_LISTENERS", [Listener(heard.append)])
    with connect() as connection:
        connection.execute("SET synchronous_commit = off")

        sink = TableSink(STREAMS["trading"], TOPIC, KnownWriters(), FixedClock(NOW))
        sink.use(connection)

        def anew() -> World:
            for table in ("trading_market", "trading_outcome", "trading_statuschange", "trading_providersuspension"):
                connection.execute(f"DELETE FROM {table}".encode())
            connection.execute("DELETE FROM streams_offset")
            offsets.begin(connection, "trading", TOPIC, {0: 0, 1: 0}, NOW)
            heard.clear()
            world = World(sink, heard)
            world.read()
            return world

        yield anew


def play(world: World, step: tuple[Any, ...]) -> None:
    """What happens, and what a web process does when it hears of it."""
    act, *what = step
    if act == "store":
        world.store_updates(*what)
        if world.fold():
            world.read()
    elif act == "repeat":
        world.repeat(*what)
        if world.fold():
            world.read()
    elif act == "store while it is read":
        world.read(lambda: world.store_updates(*what))
    else:
        getattr(world, act)(*what)
        # Whoever suspends or releases has all prices read anew.
        world.read()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, max_size=12))
def test_at_any_moment_the_page_shows_what_the_tables_say(world: Callable[[], World], history: list[Any]) -> None:
    page = world()
    for step in history:
        play(page, step)
        assert page.shown() == prices(MATCH).rows
