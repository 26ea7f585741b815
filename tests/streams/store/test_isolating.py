"""Whatever error one message causes, of whatever class and wherever: it alone becomes a dead letter."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.writers import Writer
from backoffice.kernel.errors import Retryable
from backoffice.kernel.ids import uuid7
from backoffice.streams.consume.sink import Unstorable
from backoffice.streams.database import retryable
from backoffice.streams.store import sink as sinks
from backoffice.streams.store.projection import STREAMS, Projection
from tests.streams.arriving import NOW, batch_of, event_of, message
from tests.streams.stored import Store, log_of_values

BETS = "bet-events"
# What nothing in Python can be made of: far behind the year 9999.
FAR_AWAY = 2**62


class Panic(BaseException):
    """As a Rust library's: no Exception."""


def ids(count: int) -> list[str]:
    rng = random.Random(count)
    return [str(uuid7(rng, NOW)) for _ in range(count)]


def bets(count: int, **changes: dict[int, Any]) -> list[bytes]:
    """Bets that differ in their ids, and some of them in a field: ``stake={3: 5}``."""
    given = ids(2 * count)
    return [
        message(
            "BetPlaced",
            event_of("BetPlaced", event_id=given[at], bet_id=given[count + at])
            | {name: values[at] for name, values in changes.items() if at in values},
        )
        for at in range(count)
    ]


def take(store: Store, values: Sequence[bytes | None]) -> None:
    store.take(log_of_values((BETS, 0, value) for value in values))


def dead(store: Store) -> list[tuple[Any, ...]]:
    return store.connection.execute('SELECT "offset", record, reason FROM streams_deadletter ORDER BY 1').fetchall()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long (seconds) sinks wait, each time; nobody does."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


@pytest.fixture
def projecting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[pa.Table], None]], None]:
    """The bets' projection looks at its events first."""

    def look_first(look: Callable[[pa.Table], None]) -> None:
        def columns(projection: Projection) -> Callable[[pa.Table], pa.Table]:
            def looked(events: pa.Table) -> pa.Table:
                look(events)
                return projection.columns(events)

            return looked

        stream = STREAMS["trading"]
        changed = [
            replace(projection, columns=columns(projection)) if projection.table == "trading_bet" else projection
            for projection in stream.projections
        ]
        monkeypatch.setattr(stream, "projections", changed)

    return look_first


@pytest.mark.parametrize(
    "kind", [ValueError, OverflowError, TypeError, KeyError, pa.ArrowInvalid, pa.ArrowNotImplementedError, Panic]
)
@pytest.mark.parametrize("place", [0, 4, 8])
def test_an_error_of_any_class_in_a_projection_is_the_message_s_that_causes_it(
    store: Store, projecting: Callable[..., None], kind: type[BaseException], place: int
) -> None:
    def look(events: pa.Table) -> None:
        if 777 in events["stake"].to_pylist():
            raise kind("cannot do it for 'somebody'")

    projecting(look)

    take(store, bets(9, stake={place: 777}))

    assert store.count("trading_bet") == 8
    assert [(offset, record) for offset, record, _ in dead(store)] == [(place, "BetPlaced")]
    reason = dead(store)[0][2]
    assert kind.__name__ in reason
    assert "somebody" not in reason


@pytest.mark.parametrize("kind", [KeyError, MemoryError, pa.ArrowInvalid, psycopg.ProgrammingError, Panic])
@pytest.mark.parametrize("count", [1, 9])
def test_what_passes_by_itself_is_no_message_s(
    store: Store,
    projecting: Callable[..., None],
    waits: list[float],
    caplog: pytest.LogCaptureFixture,
    kind: type[BaseException],
    count: int,
) -> None:
    said = "of " + "somebody"

    def look(_: pa.Table) -> None:
        if not waits:
            raise kind(said)

    projecting(look)

    take(store, bets(count))

    assert store.count("trading_bet") == count
    assert dead(store) == []
    assert len(waits) == 1
    assert 0.5 < waits[0] <= sinks.AGAIN_SECONDS
    assert f"trading: what nobody foresaw keeps bet-events[0]@0 from being stored: {kind.__name__}" in caplog.text
    assert "in look" in caplog.text
    assert said not in caplog.text


def test_a_writer_that_is_not_found_for_a_while_kills_nothing(
    store: Store, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lanes share their registry: what goes wrong where they meet there is no message's."""
    usual = store.writers.writer

    def writer(schema_id: int) -> Writer:
        if not waits:
            raise KeyError(schema_id)
        return usual(schema_id)

    monkeypatch.setattr(store.writers, "writer", writer)

    take(store, bets(9))

    assert store.count("trading_bet") == 9
    assert dead(store) == []


def test_many_that_die_of_the_same_wait_together(
    store: Store, projecting: Callable[..., None], waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + sum(waits))

    def look(events: pa.Table) -> None:
        if 777 in events["stake"].to_pylist():
            raise KeyError("no")

    projecting(look)

    take(store, bets(9, stake={2: 777, 3: 777, 7: 777}))

    assert store.count("trading_bet") == 6
    assert [offset for offset, *_ in dead(store)] == [2, 3, 7]
    assert waits == [sinks.AGAIN_SECONDS]


def test_what_the_driver_cannot_hold_is_the_message_s_that_has_it(
    store: Store, projecting: Callable[..., None]
) -> None:
    def look(events: pa.Table) -> None:
        for stake in events["stake"].to_pylist():
            if stake == 777:
                pa.scalar(FAR_AWAY, pa.timestamp("us", "UTC")).as_py()

    projecting(look)

    take(store, bets(5, stake={2: 777}))

    assert store.count("trading_bet") == 4
    assert [offset for offset, *_ in dead(store)] == [2]


def test_a_row_too_long_for_an_index_is_not_a_database_that_is_away(store: Store) -> None:
    """Postgres reports it in the class of an operational error, as it does a lost connection."""
    text = "".join(random.Random(1).choices("0123456789abcdef", k=20_000))
    store.connection.execute("CREATE TEMPORARY TABLE long (text text PRIMARY KEY)")
    with pytest.raises(psycopg.OperationalError) as refused, retryable():
        store.connection.execute("INSERT INTO long VALUES (%s)", [text])

    assert refused.value.sqlstate is not None
    assert refused.value.sqlstate.startswith("54")
    with pytest.raises(Retryable), retryable():
        store.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@contextmanager
def refusing(store: Store, table: str, state: str, when: str = "true") -> Iterator[None]:
    """Postgres says this SQLSTATE of rows of the table."""
    store.connection.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF {when} THEN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END IF; RETURN NEW; END $$;"
        f" CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    try:
        yield
    finally:
        store.connection.execute("DROP FUNCTION refuse() CASCADE")


@pytest.mark.parametrize(
    "state",
    ["25006", "XX001", "XX000", "26000", "42P05", "42P01", "42501", "3D000", "0A000", "F0001", "40001", "57014"],
)
def test_what_no_row_can_cause_is_waited_for(store: Store, state: str) -> None:
    """Read-only after a fail-over, a damaged file, a pooler's lost statement, a table or a right that is not there."""
    log = log_of_values((BETS, 0, value) for value in bets(3))
    with refusing(store, "trading_leg", state), pytest.raises(Retryable):
        store.take(log)

    assert store.count("trading_bet") == 0
    assert dead(store) == []
    store.take(log)
    assert store.count("trading_bet") == 3


@pytest.mark.parametrize("state", ["21000", "22003", "23514", "44000", "54000", "P0001"])
def test_what_a_row_can_cause_is_its_message_s(store: Store, state: str) -> None:
    with refusing(store, "trading_bet", state, when="NEW.stake = 777"):
        take(store, bets(5, stake={2: 777}))

    assert store.count("trading_bet") == 4
    assert [offset for offset, *_ in dead(store)] == [2]


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        ("SelfExclusionChanged", "ends_at", -(2**63)),
        ("SelfExclusionChanged", "ends_at", 2**63 - 1),
        ("SelfExclusionChanged", "ends_at", 253_402_318_799_000_000),
        ("SelfExclusionChanged", "ends_at", -68_500_000_000_000_000),
        ("PlayerRegistered", "birth_date", 2_932_897),
        ("MarketUpdate", "starts_at", 253_402_300_800_000_000),
    ],
)
def test_a_time_that_nothing_can_hold_keeps_nobody_from_going_on(
    store: Store, record: str, field: str, value: int
) -> None:
    """Source: spotify/heroic PR 300, debezium PR 875, psycopg issues 315 and 1251."""
    topic, given = topic_of(record), ids(4)
    own = {"SelfExclusionChanged": "exclusion_id", "PlayerRegistered": "player_id", "MarketUpdate": "market_id"}[record]
    events = [event_of(record, event_id=given[number]) | {own: given[number]} for number in range(4)]
    events[2][field] = value

    store.take(log_of_values((topic, 0, message(record, event)) for event in events))

    following = "SELECT DISTINCT next FROM streams_offset WHERE topic = %s AND partition = 0"
    assert store.connection.execute(following, [topic]).fetchall() == [(4,)]
    assert {offset for offset, *_ in dead(store)} <= {2}


def test_two_messages_that_fail_only_together_are_both_stored(store: Store, projecting: Callable[..., None]) -> None:
    def look(events: pa.Table) -> None:
        if {777, 778} <= set(events["stake"].to_pylist()):
            raise OverflowError("a sum too great")

    projecting(look)

    take(store, bets(8, stake={2: 777, 5: 778}))

    assert store.count("trading_bet") == 8
    assert dead(store) == []


def test_one_bad_message_of_many_is_found_by_halving(store: Store, projecting: Callable[..., None]) -> None:
    looks = []

    def look(events: pa.Table) -> None:
        looks.append(events.num_rows)
        if 777 in events["stake"].to_pylist():
            raise ValueError("no")

    projecting(look)

    take(store, bets(2_000, stake={1_234: 777}))

    assert store.count("trading_bet") == 1_999
    assert [offset for offset, *_ in dead(store)] == [1_234]
    assert len(looks) < 3 * 11


def test_a_reason_that_no_table_can_hold_is_told_all_the_same(store: Store, projecting: Callable[..., None]) -> None:
    def look(events: pa.Table) -> None:
        if 777 in events["stake"].to_pylist():
            raise ValueError("it says \0 and \ud800")

    projecting(look)

    take(store, bets(3, stake={1: 777}))

    assert store.count("trading_bet") == 2
    assert "it says" in dead(store)[0][2]


def test_a_batch_that_fails_without_its_messages_too_is_nobody_s_dead_letter(store: Store) -> None:
    sink = store.sink(STREAMS["trading"], BETS)
    store.take(log_of_values([(BETS, 0, value) for value in bets(1)]))
    store.connection.execute("ALTER TABLE streams_deadletter ADD CONSTRAINT none CHECK (false) NOT VALID")
    try:
        batch = batch_of(BETS, [b"junk"], start=1)
        with pytest.raises(Unstorable, match="Not even without its messages"):
            list(sink.commit(sink.prepare(batch)))
    finally:
        store.connection.execute("ALTER TABLE streams_deadletter DROP CONSTRAINT none")

    assert store.connection.execute("SELECT next FROM streams_offset WHERE partition = 0").fetchone() == (1,)
    assert dead(store) == []
