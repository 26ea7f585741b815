"""What one batch leaves behind when something in it is known already, clashes, or is refused by Postgres."""

import gc
import random
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from backoffice.kernel.ids import uuid7
from backoffice.streams.consume.batch import Batch, DeadLetter
from backoffice.streams.consume.deadletters import Taken, store_dead
from backoffice.streams.consume.sink import Fenced
from backoffice.streams.store import sink as sinks
from backoffice.streams.store.offsets import begin
from backoffice.streams.store.projection import STREAMS
from backoffice.streams.store.sink import PreparedRows, TableSink
from tests.streams.arriving import NOW, batch_of, event_of, message
from tests.streams.stored import Store, log_of_values

BETS = "bet-events"


def ids(count: int) -> list[str]:
    rng = random.Random(count)
    return [str(uuid7(rng, NOW)) for _ in range(count)]


def bet(event_id: str, bet_id: str, **changes: Any) -> bytes:
    return message("BetPlaced", event_of("BetPlaced", event_id=event_id, bet_id=bet_id, **changes))


def take(store: Store, values: Sequence[bytes | None], rng: random.Random | None = None) -> None:
    store.take(log_of_values((BETS, number % 2, value) for number, value in enumerate(values)), rng)


def places(store: Store, table: str) -> list[tuple[Any, ...]]:
    query = f'SELECT partition, "offset" FROM {table} ORDER BY 1, 2'
    return store.connection.execute(query.encode()).fetchall()


def reasons(store: Store) -> list[str]:
    return [str(row[0]) for row in store.connection.execute("SELECT reason FROM streams_deadletter ORDER BY reason")]


def next_offsets(store: Store) -> list[tuple[Any, ...]]:
    return store.connection.execute("SELECT partition, next FROM streams_offset ORDER BY 1").fetchall()


def test_an_event_that_comes_twice_in_one_batch_is_stored_once(store: Store) -> None:
    event, placed, other, second = ids(4)

    take(store, [bet(event, placed), bet(event, placed), bet(other, second)])

    assert store.count("trading_bet") == 2
    assert store.count("trading_leg") == 4
    assert places(store, "streams_repeat") == [(1, 0)]
    assert next_offsets(store) == [(0, 2), (1, 1), (2, 0)]


def test_an_event_that_comes_again_in_another_partition_is_stored_once(store: Store) -> None:
    event, placed = ids(2)

    take(store, [bet(event, placed), bet(event, placed)], random.Random(0))

    assert store.count("trading_bet") == 1
    assert places(store, "streams_repeat") == [(1, 0)]


def test_two_events_with_one_bet_are_not_taken_for_each_other(store: Store) -> None:
    first, second, placed = ids(3)

    take(store, [bet(first, placed, stake=100), bet(second, placed, stake=999)])

    assert [row[0] for row in store.connection.execute("SELECT stake FROM trading_bet")] == [100]
    assert places(store, "streams_deadletter") == [(1, 0)]
    assert reasons(store) == ["Its id belongs to another event already; a new one needs a new id (BetPlaced)"]
    assert store.count("streams_repeat") == 0


@pytest.fixture
def picky(store: Store) -> Iterator[Store]:
    """Tables with a rule that no contract knows of."""
    store.connection.execute("ALTER TABLE trading_leg ADD CONSTRAINT trial CHECK (odds <> 6666)")
    yield store
    store.connection.execute("ALTER TABLE trading_leg DROP CONSTRAINT trial")


@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_row_that_postgres_refuses_is_alone_in_the_dead_letters(picky: Store, place: int) -> None:
    legs = [leg | {"odds": 6_666} for leg in event_of("BetPlaced")["legs"]]
    given = ids(14)
    values = [bet(given[at], given[7 + at]) for at in range(7)]
    values[place] = bet(given[place], given[7 + place], legs=legs)

    take(picky, values)

    assert picky.count("trading_bet") == 6
    assert places(picky, "streams_deadletter") == [(place % 2, place // 2)]
    assert "trading_leg" in reasons(picky)[0]
    assert picky.count("streams_outbox") == 1
    assert next_offsets(picky) == [(0, 4), (1, 3), (2, 0)]


def test_a_batch_with_everything_in_it_accounts_for_each_message_once(store: Store) -> None:
    event, placed, other, clashing = ids(4)
    same_legs = [leg | {"leg_no": 1} for leg in event_of("BetPlaced")["legs"]]
    refused, illegal = bet(clashing, clashing, legs=same_legs), bet(clashing, other, stake=-1)
    known, clash = bet(event, placed), bet(other, placed)
    values = [known, b"junk", None, known, clash, refused, illegal, bet(clashing, other)]

    take(store, values)

    assert store.count("trading_bet") == 2
    assert store.count("streams_repeat") == 1
    assert store.count("streams_deadletter") == 5
    assert next_offsets(store) == [(0, 4), (1, 4), (2, 0)]


def test_who_comes_too_late_writes_nothing(store: Store) -> None:
    event, placed = ids(2)
    take(store, [bet(event, placed)])
    before = store.contents()
    late = batch_of(BETS, [bet(*ids(3)[1:])])

    sink = store.sink(STREAMS["trading"], BETS)
    with pytest.raises(Fenced, match=r"bet-events\[0\] is no longer at offset 0"):
        list(sink.commit(sink.prepare(late)))

    assert store.contents() == before
    assert next_offsets(store)[0] == (0, 1)


def test_what_was_read_of_a_topic_before_another_was_adopted_writes_nothing(store: Store) -> None:
    event, placed = ids(2)
    sink = store.sink(STREAMS["trading"], BETS)
    late = sink.prepare(batch_of(BETS, [bet(event, placed)]))
    begin(store.connection, "trading", BETS, {0: 0}, NOW)
    store.connection.execute(
        "INSERT INTO streams_reading (stream, topic, topic_id, generation, begun_at) VALUES (%s, %s, 'new', 1, %s)",
        ["trading", BETS, NOW],
    )
    before = store.contents()

    with pytest.raises(Fenced, match="gone over to another bet-events"):
        list(sink.commit(late))

    assert store.contents() == before
    assert next_offsets(store) == [(0, 0)]


def test_a_dead_letter_is_told_once_and_never_gives_way_to_another_message(store: Store) -> None:
    def letter(value: bytes) -> Batch:
        return replace(batch_of(BETS, [value]), dead={0: DeadLetter("it is junk")})

    for _ in range(2):
        store_dead(store.connection, "counting", letter(b"junk"), NOW)
    with pytest.raises(Taken, match=r"bet-events\[0\]@0"):
        store_dead(store.connection, "counting", letter(b"other junk"), NOW)

    assert store.connection.execute("SELECT stream, value FROM streams_deadletter").fetchall() == [
        ("counting", b"junk")
    ]
    assert store.count("streams_outbox") == 1


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref[Batch]]]:
    """Those that are made, while nothing collects what holds itself: between two collections there may be hours."""
    prepare, made = TableSink.prepare, list[weakref.ref[Batch]]()

    def noted(sink: TableSink, batch: Batch) -> PreparedRows:
        prepared = prepare(sink, batch)
        made.append(weakref.ref(prepared.batch))
        return prepared

    monkeypatch.setattr(TableSink, "prepare", noted)
    gc.disable()
    yield made
    gc.enable()


def held(batches: list[weakref.ref[Batch]]) -> int:
    assert len(batches) > 1
    return sum(each() is not None for each in batches)


def test_nothing_holds_a_batch_with_a_repeat_once_it_is_stored(store: Store, batches: list[weakref.ref[Batch]]) -> None:
    event, placed, other, second = ids(4)

    take(store, [bet(event, placed), bet(event, placed), bet(other, second)])

    assert store.count("streams_repeat") == 1
    assert held(batches) == 0


def test_nothing_holds_a_batch_whose_rows_could_not_be_made(
    store: Store, batches: list[weakref.ref[Batch]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(tables: Any, *_: Any, **__: Any) -> Any:
        if tables:
            raise OverflowError("too great")
        return []

    monkeypatch.setattr(sinks, "project", fails)
    monkeypatch.setattr(sinks, "AGAIN_SECONDS", 0.0)
    event, placed = ids(2)

    take(store, [bet(event, placed)])

    assert store.count("streams_deadletter") > 0
    assert held(batches) == 0
