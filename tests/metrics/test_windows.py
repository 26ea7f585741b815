"""Events folded into windows, with few cells and with many, and sums at the edge of what fits."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.metrics import windows
from backoffice.metrics.windows import bucketed, count_events, last_seen, track_activity, with_longer_spans
from backoffice.streams.store.projection import Effect, Stream

START = datetime(2026, 3, 1, 10, 58, 30, tzinfo=UTC)
LARGEST = 2**63 - 1
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 7_200), st.sampled_from(["slots", "live", "table"]), st.sampled_from(["EUR", "SEK"]),
        st.integers(0, 3), st.integers(-5_000, 5_000),
    ),
    max_size=60,
)  # fmt: skip
Event = tuple[int, str, str, int, int]


def table(events: list[Event]) -> pa.Table:
    seconds, keys, currencies, partitions, amounts = zip(*events, strict=True) if events else ((),) * 5
    return pa.table(
        {
            "occurred_at": pa.array([START + timedelta(seconds=s) for s in seconds], pa.timestamp("us", "UTC")),
            "key": pa.array(keys, pa.string()),
            "currency": pa.array(currencies, pa.string()),
            "source_partition": pa.array(partitions, pa.int16()),
            "amount": pa.array(amounts, pa.int64()),
        }
    )


def minute(seconds: int) -> datetime:
    return (START + timedelta(seconds=seconds)).replace(second=0)


def found(rows: pa.Table) -> dict[Any, tuple[int, int]]:
    """Count and amount of each cell; a cell twice would be a fault by itself."""
    cells = [
        ((r["metric"], r["topic"], r["minute"], r["key"], r["currency"], r["partition"]), (r["count"], r["amount"]))
        for r in rows.to_pylist()
    ]
    assert len(dict(cells)) == len(cells)
    return dict(cells)


def counted(events: list[Event], metric: str = "ggr") -> dict[Any, tuple[int, int]]:
    counts, sums = Counter[Any](), Counter[Any]()
    for seconds, key, currency, partition, amount in events:
        cell = (metric, "t", minute(seconds), key, currency, partition)
        counts[cell] += 1
        sums[cell] += amount
    return {cell: (counts[cell], sums[cell]) for cell in counts}


@pytest.mark.parametrize("few", [0, 40, 1 << 16], ids=["all by those that occur", "both ways", "all by number"])
@given(events=EVENTS)
def test_each_cell_has_the_count_and_the_sum_of_its_events(few: int, events: list[Event]) -> None:
    columns = table(events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "FEW_CELLS", few)
        rows = bucketed(columns, "ggr", "t", key=columns["key"], amount=columns["amount"])

    assert found(rows) == counted(events)


def test_cells_that_no_memory_holds_are_counted_by_those_that_occur() -> None:
    """Every event in a minute, under a key and in a partition of its own: 30,000³ cells may occur, 30,000 do."""
    events = [(60 * number, f"k{number}", "EUR", number, number) for number in range(30_000)]
    columns = table(events)

    rows = bucketed(columns, "ggr", "t", key=columns["key"], amount=columns["amount"])

    assert found(rows) == counted(events)


def test_without_amounts_events_are_counted_in_no_currency_under_one_key() -> None:
    events: list[Event] = [(0, "slots", "EUR", 1, 5), (10, "live", "SEK", 1, 7), (70, "live", "SEK", 2, 7)]

    rows = bucketed(table(events), "events", "t", key="BetPlaced")

    assert found(rows) == {
        ("events", "t", minute(0), "BetPlaced", "", 1): (2, 0),
        ("events", "t", minute(70), "BetPlaced", "", 2): (1, 0),
    }


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_that_fits_is_exact_and_one_that_may_not_is_refused(sign: int) -> None:
    def summed(*amounts: int) -> list[int]:
        events = table([(0, "slots", "EUR", 0, sign * amount) for amount in amounts])
        rows = bucketed(events, "ggr", "t", key="slots", amount=events["amount"])
        return [row["amount"] for row in rows.to_pylist()]

    assert summed(LARGEST) == [sign * LARGEST]
    assert summed(LARGEST // 2, LARGEST // 2) == [sign * (LARGEST - 1)]
    for amounts in ((LARGEST, 1), (LARGEST // 2 + 1, LARGEST // 2), (LARGEST // 2 + 1, LARGEST // 2 + 1)):
        with pytest.raises(pa.ArrowInvalid, match="does not fit 64 bits"):
            summed(*amounts)


def test_amounts_of_both_signs_are_refused_by_the_larger() -> None:
    events = table([(0, "slots", "EUR", 0, amount) for amount in (-(LARGEST // 2) - 1, 1)])

    with pytest.raises(pa.ArrowInvalid):
        bucketed(events, "ggr", "t", key="slots", amount=events["amount"])


def test_the_same_amounts_stand_under_their_hour_and_day() -> None:
    minutes = bucketed(table([(0, "slots", "EUR", 0, 5), (120, "slots", "EUR", 0, 7)]), "ggr", "t", key="slots")

    rows = [(row["metric"], row["minute"], row["count"]) for row in with_longer_spans(minutes).to_pylist()]

    day = START.replace(hour=0, minute=0, second=0)
    hours = START.replace(minute=0, second=0), START.replace(hour=11, minute=0, second=0)
    assert sorted(rows) == sorted(
        [("ggr", minute(0), 1), ("ggr", minute(120), 1), *(("ggr_hour", hour, 1) for hour in hours)]
        + [("ggr_day", day, 1)] * 2
    )


def test_a_player_was_last_seen_in_the_minute_of_the_latest_event() -> None:
    players = [b"a" * 16, b"b" * 16, b"a" * 16]
    at = [START, START, START + timedelta(minutes=3)]
    events = pa.table(
        {
            "player_id": pa.array(players, pa.binary(16)), "brand": ["x"] * 3, "jurisdiction": ["MT", "SE", "MT"],
            "occurred_at": pa.array(at, pa.timestamp("us", "UTC")),
        }
    )  # fmt: skip

    rows = {row["player_id"]: row for row in last_seen(events, "t").to_pylist()}

    assert {key: (row["minute"], row["jurisdiction"], row["topic"]) for key, row in rows.items()} == {
        players[0]: (minute(180), "MT", "t"), players[1]: (minute(0), "SE", "t"),
    }  # fmt: skip


def login(record: str, player: bytes) -> pa.Table:
    return pa.table(
        {
            "player_id": pa.array([player], pa.binary(16)), "brand": ["x"], "jurisdiction": ["MT"],
            "occurred_at": pa.array([START], pa.timestamp("us", "UTC")),
            "source_partition": pa.array([3], pa.int16()),
        }
    )  # fmt: skip


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """A stream that leaves no trace of itself among the others."""
    monkeypatch.setattr("backoffice.streams.store.projection.STREAMS", {})
    monkeypatch.setattr(windows, "_COUNTING", {})
    return Stream("trial")


def test_every_event_of_some_records_is_counted_by_its_name(stream: Stream) -> None:
    count_events(stream, ["LoginSucceeded", "BetPlaced"])

    for projection, record, topic in zip(
        stream.projections, ("LoginSucceeded", "BetPlaced"), ("player-events", "bet-events"), strict=True
    ):
        assert (projection.record, projection.table, projection.effect, projection.by) == (
            record, "metrics_window", Effect.ADD, ("count", "amount"),
        )  # fmt: skip
        assert projection.key == ("metric", "minute", "key", "currency", "topic", "partition")
        rows = projection.columns(login(record, b"a" * 16)).to_pylist()
        assert rows == [
            {"metric": "events", "minute": minute(0), "key": record, "currency": "", "topic": topic, "partition": 3,
             "count": 1, "amount": 0}
        ]  # fmt: skip


def test_one_stream_counts_a_record_as_often_as_it_is_told_and_no_other_does(stream: Stream) -> None:
    count_events(stream, ["LoginSucceeded"])
    count_events(stream, ["LoginFailed", "LoginSucceeded"])

    other = Stream("other")
    with pytest.raises(ValueError, match="LoginFailed is counted by the stream trial already; only one may"):
        count_events(other, ["LoginFailed"])
    assert other.projections == []


def test_events_are_a_sign_that_their_player_is_there(stream: Stream) -> None:
    track_activity(stream, ["LoginSucceeded"])

    (projection,) = stream.projections
    assert (projection.record, projection.table, projection.effect, projection.key, projection.by) == (
        "LoginSucceeded", "metrics_activity", Effect.NEWEST, ("player_id", "topic"),
        ("minute", "brand", "jurisdiction"),
    )  # fmt: skip
    assert projection.columns(login("LoginSucceeded", b"a" * 16)).to_pylist() == [
        {"player_id": b"a" * 16, "topic": "player-events", "brand": "x", "jurisdiction": "MT", "minute": minute(0)}
    ]
