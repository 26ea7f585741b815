"""Whole messages of one writer: each is an event or has its fault, whatever happens on the way."""

import copy
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from backoffice.contracts import reading
from backoffice.contracts.codec import encode, encode_as, frame
from backoffice.contracts.definitions import schema
from backoffice.contracts.examples import MOMENT
from backoffice.contracts.reading import Held, held, read
from backoffice.contracts.writers import Writer
from backoffice.kernel.errors import Poison
from tests.contracts.changes import field
from tests.contracts.test_strict import number
from tests.streams.arriving import event_of

LATEST = MOMENT + timedelta(hours=1)
TODAY = Writer("BetPlaced", schema("BetPlaced"))


def bet(stake: int = 500, **changes: Any) -> bytes:
    return frame(7, encode("BetPlaced", event_of("BetPlaced", stake=stake, **changes)))


def read_all(values: list[bytes], writer: Writer = TODAY) -> Held:
    lengths = np.array([len(value) for value in values], np.int64)
    pieces, faults = read(values, lengths, np.arange(len(values)), writer)
    found = held(pieces, writer.record, LATEST)
    return replace(found, faults=faults | found.faults)


def changed(change: Callable[[dict[str, Any]], object]) -> Writer:
    definition = copy.deepcopy(schema("BetPlaced"))
    change(definition)
    return Writer("BetPlaced", definition)


def in_blocks(value: bytes) -> bytes:
    """The same bet, its two legs in a block each, the second with its length in bytes."""
    legs = value.rindex(number(2) + number(1))
    first, second = value[legs + 1 :].split(number(2) + number(len("sport")), 1)
    second = number(2) + number(len("sport")) + second[:-1]
    blocks = number(1) + first + number(-1) + number(len(second)) + second + number(0)
    return value[:legs] + blocks


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long (seconds) readers wait, each time; nobody does."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def test_good_messages_are_events_in_their_order() -> None:
    found = read_all([bet(stake) for stake in (5, 6, 7)])

    assert found.events["stake"].to_pylist() == [5, 6, 7]
    assert found.rows.tolist() == [0, 1, 2]
    assert found.faults == {}


def test_of_no_messages_there_are_no_events() -> None:
    found = read_all([])

    assert (found.events.num_rows, found.rows.tolist(), found.faults) == (0, [], {})
    assert found.events.column_names == [item["name"] for item in schema("BetPlaced")["fields"]]


def test_each_kind_of_bad_message_is_told_and_the_rest_keep_their_order() -> None:
    values = [
        bet(1), bet(2)[:-3], bet(3) + b"\0", bet(4), bet(5, legs=[]), in_blocks(bet(6)), bet(0), bet(8),
        bet(9, occurred_at=LATEST + timedelta(microseconds=1)),
    ]  # fmt: skip

    found = read_all(values)

    assert found.events["stake"].to_pylist() == [1, 4, 6, 8]
    assert found.rows.tolist() == [0, 3, 5, 7]
    assert sorted(found.faults) == [1, 2, 4, 6, 8]
    assert found.faults[1].startswith("The body is cut short: BetPlaced.legs[]")
    assert found.faults[2] == "1 bytes follow the BetPlaced."
    assert found.faults[4] == "legs is empty; it has at least 1 (BetPlaced.legs)"
    assert found.faults[6] == "stake is 0; it must be at least 1 (BetPlaced.stake)"
    assert "lies in the future" in found.faults[8]


def test_only_bad_messages_leave_no_event() -> None:
    found = read_all([b"\0\0\0\0\x07", bet(0), bet()[:50]])

    assert found.events.num_rows == 0
    assert sorted(found.faults) == [0, 1, 2]


@pytest.mark.parametrize("value", [b"\0\0\0\0\x07", bet()[:50], bet(0), bet() + b"\0"])
def test_a_bad_message_that_is_alone_is_told(value: bytes) -> None:
    found = read_all([value])

    assert (found.events.num_rows, list(found.faults)) == (0, [0])


def test_a_message_written_otherwise_keeps_its_place() -> None:
    found = read_all([in_blocks(bet(5)), bet(6), in_blocks(bet(7))])

    assert found.events["stake"].to_pylist() == [5, 6, 7]
    assert found.rows.tolist() == [0, 1, 2]


def test_lists_in_blocks_are_the_same_event() -> None:
    value = bet()
    assert in_blocks(value) != value

    assert read_all([in_blocks(value)]).events.equals(read_all([value]).events)


def test_an_int_that_was_cut_to_its_type_is_not_believed() -> None:
    """4294967297 is 1 in 32 bits, and a leg number that there is."""
    value = bet()
    legs = value.rindex(number(2) + number(1))
    cut = value[: legs + 1] + number(2**32 + 1) + value[legs + 2 :]

    assert "BetPlaced.legs[].leg_no does not fit into 32 bits" in read_all([value, cut]).faults[1]


@pytest.mark.parametrize(
    "more",
    [
        {"name": "more", "type": "bytes"},
        {"name": "more", "type": {"type": "map", "values": "bytes"}},
        {"name": "more", "type": ["long", "null", "bytes"]},
        {"name": "more", "type": {"type": "string", "logicalType": "uuid"}},
    ],
)
def test_a_newer_writer_may_have_types_that_no_column_has(more: dict[str, Any]) -> None:
    writer = changed(lambda definition: definition["fields"].insert(0, more))
    value = {"bytes": b"\xff", "map": {"a": b"\xff"}, "null": None}
    of = more["type"]
    told = value["bytes"] if of == "bytes" else value["map"] if "map" in str(of) else None if "null" in of else "x"
    if told == "x":
        told = "01890a5d-ac96-774b-bcce-b302099a8057"
    good = frame(7, encode_as(writer.schema, event_of("BetPlaced", stake=5, more=told)))

    found = read_all([good, good[:-1], good + b"\0"], writer)

    assert found.events.equals(read_all([bet(5)]).events)
    assert found.rows.tolist() == [0]
    assert sorted(found.faults) == [1, 2]


def test_an_older_writer_of_strange_types_gets_our_defaults() -> None:
    def change(definition: dict[str, Any]) -> None:
        definition["fields"] = [item for item in definition["fields"] if item["name"] != "bonus_id"]
        field(definition, "legs")["type"]["items"]["fields"].append({"name": "more", "type": "bytes"})

    writer = changed(change)
    legs = [dict(leg, more=b"\0") for leg in event_of("BetPlaced")["legs"]]
    event = {name: value for name, value in event_of("BetPlaced").items() if name != "bonus_id"}

    (found,) = read_all([frame(7, encode_as(writer.schema, event | {"legs": legs}))], writer).events.to_pylist()

    assert found["bonus_id"] is None
    assert found["legs"] == event_of("BetPlaced")["legs"]


def test_a_writer_that_is_not_ours_is_poison_as_a_whole() -> None:
    with pytest.raises(Poison, match=r"BetPlaced\.stake is double"):
        read_all([bet()], changed(lambda definition: field(definition, "stake").update(type="double")))


class Unforeseen(Exception):  # noqa: N818
    """An error of a class that nobody reckons with."""


@pytest.mark.parametrize("step", ["decode_bodies", "encoded_sizes", "align"])
def test_what_fails_for_whole_columns_is_read_message_by_message(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Where a part of the quick way fails for messages of a kind, in whatever way, the exact way stands in."""
    usual = getattr(reading, step)

    def fails(*arguments: Any) -> Any:
        if any("terminal" in str(getattr(argument, "schema", argument)) for argument in arguments):
            raise Unforeseen("no such thing")
        return usual(*arguments)

    monkeypatch.setattr(reading, step, fails)
    writer = changed(lambda d: d["fields"].append({"name": "terminal", "type": ["null", "string"]}))
    values = [frame(7, encode_as(writer.schema, event_of("BetPlaced", stake=n, terminal=None))) for n in range(4)]

    found = read_all(values, writer)

    assert found.events["stake"].to_pylist() == [1, 2, 3]
    assert found.faults == {0: "stake is 0; it must be at least 1 (BetPlaced.stake)"}


def test_a_message_that_no_step_can_take_is_alone_with_its_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = getattr(reading, "checked")  # noqa: B009 - what the module calls, not what it gives to others

    def fails(batch: Any, *arguments: Any) -> Any:
        if 666 in batch.column("stake").to_pylist():
            raise Unforeseen("it cannot\nbe told")
        return usual(batch, *arguments)

    monkeypatch.setattr(reading, "checked", fails)
    stakes = [1, 666, 2, 3, 666, 0, 4]

    found = read_all([bet(stake) for stake in stakes])

    assert found.events["stake"].to_pylist() == [1, 2, 3, 4]
    assert found.rows.tolist() == [0, 2, 3, 6]
    assert sorted(found.faults) == [1, 4, 5]
    assert found.faults[1] == "It cannot be read as a BetPlaced (Unforeseen: it cannot)."


@pytest.mark.parametrize("kind", [Unforeseen, KeyError, MemoryError])
@pytest.mark.parametrize("step", ["checked", "_rewritten", "decode_bodies"])
@pytest.mark.parametrize("count", [1, 5])
def test_what_passes_by_itself_is_no_message_s(
    monkeypatch: pytest.MonkeyPatch,
    waits: list[float],
    caplog: pytest.LogCaptureFixture,
    step: str,
    kind: type[Exception],
    count: int,
) -> None:
    """What is read exactly, and what keeps its rules: none of them may die of what may fail any message once."""
    usual = getattr(reading, step)

    def fails(*arguments: Any) -> Any:
        if not waits:
            raise kind("not now")
        return usual(*arguments)

    monkeypatch.setattr(reading, step, fails)
    # Written in another way than ours, so that it is read exactly.
    values = [in_blocks(bet(1 + row)) for row in range(count)]

    found = read_all(values)

    assert found.faults == {}
    assert found.events["stake"].to_pylist() == [*range(1, 1 + count)]
    assert found.rows.tolist() == [*range(count)]
    assert waits == [reading.AGAIN_SECONDS]
    assert f"of {count} BetPlaced from being read: {kind.__name__}, from" in caplog.text


def test_what_passes_for_one_leaves_all_in_their_order(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    usual = getattr(reading, "checked")  # noqa: B009 - what the module calls, not what it gives to others

    def fails(batch: Any, *arguments: Any) -> Any:
        if 777 in batch.column("stake").to_pylist() and not waits:
            raise Unforeseen("not now")
        return usual(batch, *arguments)

    monkeypatch.setattr(reading, "checked", fails)

    found = read_all([bet(stake) for stake in (5, 777, 0, 6, 7)])

    assert found.events["stake"].to_pylist() == [5, 777, 6, 7]
    assert found.rows.tolist() == [0, 1, 3, 4]
    assert list(found.faults) == [2]


def test_many_bad_messages_among_many_good_ones() -> None:
    rng = random.Random(3)
    bad = {row for row in range(400) if rng.random() < 0.3}
    values = [bet(1 + row) + b"\0" * (row in bad) for row in range(400)]
    values = [value[:-9] if row in bad and row % 2 else value for row, value in enumerate(values)]

    found = read_all(values)

    assert set(found.faults) == bad
    assert found.events["stake"].to_pylist() == [1 + row for row in range(400) if row not in bad]


def test_only_the_messages_asked_for_are_read() -> None:
    values = [bet(1), None, bet(0), bet(3), b"junk", bet(5)]
    lengths = np.array([len(value or b"") for value in values], np.int64)

    one, no_faults = read(values, lengths, np.array([3, 5]), TODAY)
    other, faults = read(values, lengths, np.array([0, 2]), TODAY)
    found = held([*one, *other], "BetPlaced", LATEST)

    assert no_faults == faults == {}
    assert found.events["stake"].to_pylist() == [1, 3, 5]
    assert found.rows.tolist() == [0, 3, 5]
    assert list(found.faults) == [2]
