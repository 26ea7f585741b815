"""A batch of messages becomes tables, and each message that cannot be read is named with its reason."""

import copy
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backoffice.contracts.codec import frame
from backoffice.contracts.definitions import schema
from backoffice.contracts.examples import MOMENT
from backoffice.streams.consume.batch import DeadLetter
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
    result = decoded(batch_of("bet-events", [frame(4711, b"x"), BET[:40]]))

    assert result.dead[0].schema_id == 4711
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
    settings.CLOCK_AHEAD_MINUTES = 2

    early = decoded(batch_of("bet-events", [BET]), now=MOMENT - timedelta(minutes=2, microseconds=1))

    assert "lies in the future" in early.dead[0].reason
    assert not decoded(batch_of("bet-events", [BET]), now=MOMENT - timedelta(minutes=2)).dead
