"""A batch of messages becomes tables, and each message that cannot be read is named with its reason."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.codec import frame
from backoffice.contracts.definitions import schema
from backoffice.contracts.examples import MOMENT
from backoffice.settings.dated import EVER
from backoffice.streams.consume.batch import Batch, DeadLetter
from backoffice.streams.consume.decoding import Decoded, decode
from backoffice.streams.consume.tombstones import Tombstones
from backoffice.streams.standing import appended_header, standing_headers
from tests.streams.arriving import KnownWriters, batch_of, decoded, event_of, message

BET = message("BetPlaced", event_of("BetPlaced"))
SETTLED = message("BetSettled", event_of("BetSettled"))
NEGATIVE = message("BetPlaced", event_of("BetPlaced", stake=-500))
KINDS = {
    "bet": (BET, ""),
    "settled": (SETTLED, ""),
    "nothing": (None, "no value"),
    "empty": (b"", "no value"),
    "unframed": (b"hello, world", "not framed; it begins with 0x68656c6c6f"),
    "short": (b"\0\0\0", "not framed"),
    "unknown": (frame(4711, b""), "unknown schema id 4711"),
    "cut": (BET[:40], "cut short"),
    "headless": (BET[:5], "cut short"),
    "foreign": (message("LoginFailed", event_of("LoginFailed")), "LoginFailed is no record of the topic bet-events"),
    "negative": (NEGATIVE, "stake is −500; it must be at least 1 (BetPlaced.stake)"),
    "text": (message("BetPlaced", event_of("BetPlaced", channel="web-shop")).replace(b"web", b"w\xffb"), "UTF-8"),
}


@given(st.lists(st.sampled_from(sorted(KINDS)), max_size=14))
def test_each_message_is_a_row_in_order_or_a_dead_letter_with_its_reason(kinds: list[str]) -> None:
    result = decoded(batch_of("bet-events", [KINDS[kind][0] for kind in kinds], partition=3, start=100))

    assert sorted(result.dead) == [row for row, kind in enumerate(kinds) if KINDS[kind][1]]
    for row, dead in result.dead.items():
        assert KINDS[kinds[row]][1] in dead.reason
    for record, kind in (("BetPlaced", "bet"), ("BetSettled", "settled")):
        rows = [row for row, found in enumerate(kinds) if found == kind]
        table = result.tables.get(record)
        assert (table["row"].to_pylist() if table else []) == rows
        assert (table["source_offset"].to_pylist() if table else []) == [100 + row for row in rows]
        assert (set(table["source_partition"].to_pylist()) if table else set()) <= {3}


def test_a_dead_letter_says_by_which_schema_it_was_written() -> None:
    result = decoded(batch_of("bet-events", [frame(4711, b"x"), BET[:40], NEGATIVE]))

    assert result.dead[0].schema_id == 4711
    assert (result.dead[2].schema_id, result.dead[2].record) == (int.from_bytes(NEGATIVE[1:5], "big"), "BetPlaced")
    assert (result.dead[1].schema_id, result.dead[1].record) == (int.from_bytes(BET[1:5], "big"), "BetPlaced")


def test_what_is_accounted_for_already_is_not_read_again() -> None:
    batch = batch_of("bet-events", [BET, b"junk", BET, BET])
    batch.dead[1] = DeadLetter("known")
    batch.repeats[2] = "BetPlaced"

    result = decoded(batch)

    assert result.dead == {}
    assert result.tables["BetPlaced"]["row"].to_pylist() == [0, 3]


def test_several_versions_of_a_record_become_one_table_in_order_of_arrival() -> None:
    writers = KnownWriters()
    newer = copy.deepcopy(schema("BetPlaced"))
    newer["fields"].insert(0, {"name": "shop", "type": "string", "default": ""})
    values = [
        writers.message(newer, event_of("BetPlaced", stake=stake, shop="Sliema"))
        if stake % 2
        else message("BetPlaced", event_of("BetPlaced", stake=stake))
        for stake in range(1, 8)
    ]

    result = decoded(batch_of("bet-events", values), writers)

    assert not result.dead
    assert result.tables["BetPlaced"]["stake"].to_pylist() == [1, 2, 3, 4, 5, 6, 7]
    assert "shop" not in result.tables["BetPlaced"].column_names


def test_a_version_that_lacks_what_has_no_default_is_dead_and_the_others_live() -> None:
    writers = KnownWriters()
    older = copy.deepcopy(schema("BetPlaced"))
    older["fields"] = [field for field in older["fields"] if field["name"] != "stake"]
    event = {name: value for name, value in event_of("BetPlaced").items() if name != "stake"}

    result = decoded(batch_of("bet-events", [writers.message(older, event), BET]), writers)

    assert list(result.dead) == [0]
    assert "no stake" in result.dead[0].reason
    assert result.tables["BetPlaced"]["row"].to_pylist() == [1]


def test_a_producers_clock_may_be_ahead_by_what_is_configured(settings: Any) -> None:
    settings.CLOCK_AHEAD = ((EVER, timedelta(minutes=2)),)

    early = decoded(batch_of("bet-events", [BET]), now=MOMENT - timedelta(minutes=2, microseconds=1))

    assert "lies in the future" in early.dead[0].reason
    assert not decoded(batch_of("bet-events", [BET]), now=MOMENT - timedelta(minutes=2)).dead


AHEAD = timedelta(minutes=15)


@pytest.mark.parametrize("ours", [timedelta(minutes=-20), timedelta(), timedelta(days=2)])
@pytest.mark.parametrize(("early", "is_dead"), [(AHEAD, False), (AHEAD + timedelta(milliseconds=1), True)])
def test_how_early_an_event_is_tells_the_log_and_not_our_clock(
    ours: timedelta, early: timedelta, is_dead: bool
) -> None:
    batch = batch_of("bet-events", [SETTLED, BET])
    batch.logged = [int(MOMENT.timestamp() * 1_000), int((MOMENT - early).timestamp() * 1_000)]

    result = decoded(batch, now=MOMENT + ours)

    assert sorted(result.dead) == ([1] if is_dead else [])


def test_each_message_is_held_against_the_limit_of_when_it_was_logged(settings: Any) -> None:
    settings.CLOCK_AHEAD = (
        (EVER, timedelta(minutes=15)),
        (MOMENT - timedelta(minutes=10), timedelta(minutes=5)),
        (MOMENT - timedelta(minutes=3), timedelta(minutes=1)),
    )
    before = [11, 10, 6, 5, 4, 3, 2, 1]
    batch = batch_of("bet-events", [BET] * len(before))
    batch.logged = [int((MOMENT - timedelta(minutes=minutes)).timestamp() * 1_000) for minutes in before]

    early = decoded(batch, now=MOMENT).dead

    assert [before[row] for row in sorted(early)] == [10, 6, 3, 2]


def test_what_is_sent_again_is_as_early_as_it_was_at_first() -> None:
    hour = int(timedelta(hours=1).total_seconds() * 1_000)
    logged = int(MOMENT.timestamp() * 1_000)
    batch = batch_of("bet-events", [BET, BET, BET])
    batch.logged = [logged + hour, logged - hour, logged + hour]
    batch.replayed = {(0, 0): (logged - hour, 7), (0, 1): (logged, 8), (0, 2): ((2**63 - 1) // 1_000, 9)}
    batch.appended = {(0, 1): 0}

    assert sorted(decoded(batch, now=MOMENT - timedelta(hours=1)).dead) == [0]


def test_a_message_that_the_log_has_ceased_to_date_is_held_against_our_clock_and_what_that_is_known_to_lack() -> None:
    batch = batch_of("bet-events", [BET, BET])
    batch.logged = [int((MOMENT - timedelta(hours=1)).timestamp() * 1_000)] * 2
    batch.appended = {(0, 1): 0}
    slow = MOMENT - timedelta(minutes=20)

    assert sorted(decoded(batch, now=MOMENT).dead) == [0]
    assert sorted(decoded(batch, now=slow).dead) == [0, 1]
    batch.behind = timedelta(minutes=20)
    assert sorted(decoded(batch, now=slow).dead) == [0]
    assert sorted(decoded(batch.halves()[1], now=slow).dead) == []


def test_what_was_stored_once_is_not_judged_again() -> None:
    batch = at(0, "BetPlaced", happened=timedelta(days=400))

    assert decoded(batch).dead
    assert not decode(batch, records=["BetPlaced"], writers=KnownWriters(), now=None).dead


def at(partition: int, record: str, *, happened: timedelta, logged: timedelta | None = timedelta()) -> Batch:
    """A batch of one event of a moment, logged at another; None where the broker does not keep its time."""
    batch = Batch(topic_of(record))
    moment = 0 if logged is None else int((MOMENT + logged).timestamp() * 1_000)
    value = message(record, event_of(record, occurred_at=MOMENT + happened))
    batch.add(partition=partition, offset=9, key=b"k", value=value, start=9, logged=moment)
    return batch


def together(*batches: Batch) -> Decoded:
    whole = Batch(batches[0].topic)
    for part in batches:
        (partition,), (value,), (logged,) = part.partitions, part.values, part.logged
        whole.add(partition=partition, offset=len(whole), key=b"k", value=value, start=0, logged=logged)
    return decoded(whole)


def test_the_newest_event_of_each_partition_is_found_in_whatever_table_it_is() -> None:
    minute, second = timedelta(minutes=1), timedelta(seconds=1)
    result = together(
        at(1, "BetPlaced", happened=minute), at(1, "BetPlaced", happened=second), at(4, "BetPlaced", happened=second),
        at(1, "BetSettled", happened=2 * second), at(4, "BetSettled", happened=minute + timedelta(microseconds=1)),
    )  # fmt: skip

    assert result.newest() == {1: MOMENT + minute, 4: MOMENT + minute + timedelta(microseconds=1)}
    for values in ([], [NEGATIVE], [b"junk"]):
        assert decoded(batch_of("bet-events", values)).newest() == {}


def test_clocks_that_are_ahead_of_the_log_are_counted_by_partition() -> None:
    tolerance = timedelta(seconds=2)
    result = together(
        at(1, "BetPlaced", happened=tolerance), at(1, "BetPlaced", happened=timedelta(seconds=3)),
        at(1, "BetSettled", happened=timedelta(seconds=9)), at(1, "BetSettled", happened=timedelta(seconds=5)),
        at(2, "BetPlaced", happened=tolerance + timedelta(milliseconds=1)),
        at(3, "BetPlaced", happened=timedelta(minutes=1), logged=None),
        at(4, "BetPlaced", happened=timedelta(minutes=-1)),
        at(5, "BetPlaced", happened=timedelta(minutes=1), logged=timedelta(minutes=1)),
    )  # fmt: skip

    assert result.ahead(tolerance) == {1: (3, 9_000), 2: (1, 2_001)}
    assert result.ahead(timedelta(minutes=1)) == {}


def test_rows_say_when_the_log_had_come_to_them() -> None:
    result = together(at(1, "BetPlaced", happened=timedelta(), logged=timedelta(milliseconds=7)))
    (row,) = result.tables["BetPlaced"].select(["logged_at", "logged_offset", "source_offset"]).to_pylist()

    assert row["logged_at"].replace(tzinfo=None) == (MOMENT + timedelta(milliseconds=7)).replace(tzinfo=None)
    assert (row["logged_offset"], row["source_offset"]) == (0, 0)


def told_by(batch: Batch, column: str) -> list[datetime | None]:
    times = decode(batch, records=("BetPlaced",), writers=KnownWriters(), now=None).tables["BetPlaced"][column]
    return [at and at.replace(tzinfo=UTC) for at in times.to_pylist()]


def test_rows_say_when_we_read_them_where_anybody_knows_when_they_were_told() -> None:
    batch = batch_of("bet-events", [message("BetPlaced", event_of("BetPlaced"))] * 5)
    logged = int(MOMENT.timestamp() * 1_000)
    batch.logged = [0, *[logged] * 4]
    batch.appended, batch.replayed = {(0, 2): 0}, {(0, 3): (0, 1), (0, 4): (logged, 2)}
    batch.first_appended = {(0, 4): logged}
    assert told_by(batch, "taken_at") == [None] * 5

    batch.read_at = MOMENT + timedelta(hours=1)

    assert told_by(batch, "taken_at") == [batch.read_at, batch.read_at, batch.read_at, None, batch.read_at]
    assert told_by(batch.halves()[1], "taken_at") == [batch.read_at, None, batch.read_at]


def test_rows_say_when_the_broker_took_them_themselves_however_far_the_log_had_come() -> None:
    second, hour = timedelta(seconds=1), timedelta(hours=1)

    def at(moment: datetime) -> int:
        return int(moment.timestamp() * 1_000)

    batch = batch_of("bet-events", [message("BetPlaced", event_of("BetPlaced"))] * 6)
    batch.logged = [0, *[at(MOMENT + hour)] * 5]
    batch.appended = {(0, row): at(MOMENT + row * second) for row in range(2, 6)} | {(0, 5): 0}
    batch.replayed = {(0, 3): (at(MOMENT - hour), 0), (0, 4): (at(MOMENT + hour), 0)}
    batch.first_appended = {(0, 3): at(MOMENT - 2 * hour), (0, 4): at(MOMENT + hour)}

    assert told_by(batch, "appended_at") == [
        None, MOMENT + hour, MOMENT + 2 * second, MOMENT - 2 * hour, None, None,
    ]  # fmt: skip
    assert told_by(batch, "logged_at")[2] == MOMENT + hour
    assert told_by(batch.halves()[1], "appended_at") == [MOMENT - 2 * hour, None, None]


def test_what_was_sent_again_was_told_when_the_broker_took_it_at_first_and_else_nobody_knows_when() -> None:
    """However long ago a log has caught up that had come there by a clock an hour ahead."""
    hour, told = 3_600_000, int(MOMENT.timestamp() * 1_000)
    headers = standing_headers(told + hour, 0)
    for later in (hour // 2, 2 * hour):
        for said, appended_at in ((told, MOMENT), (told + 2 * hour, None), (None, None)):
            batch = Batch("bet-events")
            batch.add(partition=0, offset=7, key=b"k", value=BET, start=7, logged=max(told + hour, told + later))
            batch.appended[0, 7] = told + later
            assert batch.note_replayed(0, (headers | appended_header(said or 0)).items())
            batch.read_at = MOMENT + timedelta(hours=3)

            assert told_by(batch, "appended_at") == [appended_at]
            assert told_by(batch, "logged_at") == [MOMENT + timedelta(hours=1)]
            assert told_by(batch.until(0, 8), "appended_at") == [appended_at]


def test_what_was_sent_again_stands_where_it_stood_at_first() -> None:
    batch = batch_of("bet-events", [BET, BET], start=100)
    batch.replayed[0, 101] = (int(MOMENT.timestamp() * 1_000), 42)

    table = decoded(batch).tables["BetPlaced"]

    assert table["source_offset"].to_pylist() == [100, 101]
    assert table["logged_offset"].to_pylist() == [100, 42]
    assert [moment.timestamp() for moment in table["logged_at"].to_pylist()] == [0, MOMENT.timestamp()]


def test_records_that_the_stream_does_not_want_are_passed_by() -> None:
    batch = batch_of("bet-events", [BET, SETTLED, b"junk", SETTLED])

    result = decode(batch, records=["BetPlaced"], writers=KnownWriters(), now=MOMENT)

    assert (result.passed, sorted(result.dead), sorted(result.tables)) == ({1, 3}, [2], ["BetPlaced"])


def test_on_a_compacted_topic_a_message_without_a_value_says_what_is_gone() -> None:
    price = message("MarketPrice", event_of("MarketPrice", market_id="1x2"))
    batch = Batch("market-prices")
    for offset, (key, value) in enumerate(
        [(b"1x2", price), (b"1x2", None), (b"totals", None), (b"1x2", None), (b"\xff", None), (None, None), (b"a", b"")]
    ):
        batch.add(partition=0, offset=offset, key=key, value=value, start=0)
    batch.repeats[3] = "MarketPrice"

    result = decoded(batch)

    assert result.tombstones == Tombstones("market-prices", {"1x2": (0, 1), "totals": (0, 2)})
    assert {row: dead.reason[:36] for row, dead in result.dead.items()} == {
        4: "A message without a value tells by i", 5: "A message without a value tells by i",
        6: "The message has no value.",
    }  # fmt: skip
    assert result.tables["MarketPrice"]["row"].to_pylist() == [0]
    assert decoded(batch_of("bet-events", [BET])).tombstones == Tombstones("bet-events")
