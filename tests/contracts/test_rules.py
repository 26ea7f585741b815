"""Every rule a contract can state: what keeps it, what breaks it, and the sentence that says so."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.contracts.rules import checked
from backoffice.kernel.money import CURRENCIES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UUID_TEXT = "01890a5d-ac96-774b-bcce-b302099a8057"
STRING: dict[str, Any] = {"type": "string"}
NO_COUNTRY = "it is no country code of two capital letters (Trial.it)"
NUL = "it holds a NUL character, which no table can store (Trial.it)"


def faults_of(rule: dict[str, Any], values: list[Any], kind: pa.DataType | None = None) -> dict[int, str]:
    """What is said of the rows of a record ``Trial`` with one field ``it``."""
    kind = kind or (pa.string() if rule["type"] == "string" else pa.int64())
    return checked(batch_with(pa.array(values, kind)), definition_with(rule), NOW)[1]


def definition_with(rule: dict[str, Any]) -> dict[str, Any]:
    return {"name": "pitboss.Trial", "fields": [{"name": "it", "classification": "operational"} | rule]}


def batch_with(column: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([column], names=["it"])


@pytest.mark.parametrize(
    ("rule", "good", "bad", "sentence"),
    [
        (STRING | {"format": "uuid"}, UUID_TEXT, "4711", "it is '4711'; it is no UUID (Trial.it)"),
        (STRING | {"format": "currency"}, "EUR", "eur", "it is 'eur'; it is no ISO 4217 currency code (Trial.it)"),
        (STRING | {"format": "currency"}, "JPY", "XXX", "it is 'XXX'; it is no ISO 4217 currency code (Trial.it)"),
        (STRING | {"format": "country"}, "MT", "mt", f"it is 'mt'; {NO_COUNTRY}"),
        (STRING | {"format": "country"}, "SE", "MLT", f"it is 'MLT'; {NO_COUNTRY}"),
        (STRING | {"format": "country"}, "SE", "SE\n", f"it is 'SE\\n'; {NO_COUNTRY}"),
        (STRING | {"format": "ip"}, "192.0.2.7", "192.0.2.256", "it is '192.0.2.256'; it is no IP address (Trial.it)"),
        (STRING | {"format": "ip"}, "2001:db8::1", "::1%0", "it is '::1%0'; it is no IP address (Trial.it)"),
        (STRING | {"format": "ip"}, "::", "", "it is ''; it is no IP address (Trial.it)"),
        (STRING | {"format": "sha256"}, "a0" * 32, "A0" * 32, f"it is '{'A0' * 32}'; it is no SHA-256 sum (Trial.it)"),
        (STRING | {"format": "sha256"}, "0f" * 32, "0f" * 31, f"it is '{'0f' * 31}'; it is no SHA-256 sum (Trial.it)"),
        (STRING | {"values": ["won", "lost"]}, "won", "Won", "it is 'Won'; it must be one of won, lost (Trial.it)"),
        (STRING | {"max_length": 3}, "äöü", "äöüß", "it is 'äöüß'; it is longer than 3 characters (Trial.it)"),
        (STRING, "", "a\0b", f"it is 'a\\x00b'; {NUL}"),
        ({"type": "long", "minimum": 0}, 0, -500, "it is −500; it is never negative (Trial.it)"),
        ({"type": "long", "minimum": 1}, 1, 0, "it is 0; it must be at least 1 (Trial.it)"),
        ({"type": "long", "maximum": 1_000}, 1_000, 1_001, "it is 1001; it must be at most 1000 (Trial.it)"),
        ({"type": "int", "minimum": 0}, 0, -(2**31), "it is −2147483648; it is never negative (Trial.it)"),
    ],
)  # fmt: skip
def test_a_rule_names_the_row_that_breaks_it(rule: dict[str, Any], good: Any, bad: Any, sentence: str) -> None:
    assert faults_of(rule, [good, good]) == {}
    assert faults_of(rule, [good, bad, good]) == {1: sentence}


@pytest.mark.parametrize(
    "rule",
    [STRING | {"format": name} for name in ("uuid", "currency", "country", "ip", "sha256")]
    + [STRING | {"values": ["won"]}, STRING | {"max_length": 1}, {"type": "long", "minimum": 1, "maximum": 2}],
)
def test_nothing_breaks_no_rule(rule: dict[str, Any]) -> None:
    assert faults_of(rule, [None, None]) == {}
    assert faults_of(rule, []) == {}


@pytest.mark.parametrize(
    ("at", "complaint"),
    [
        (datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "is before 2000-01-01"),
        (datetime(2000, 1, 1, tzinfo=UTC), ""),
        (NOW, ""),
        (NOW + timedelta(microseconds=1), "lies in the future"),
    ],
)
def test_an_event_has_the_time_at_which_it_happened(at: datetime, complaint: str) -> None:
    rule = {"type": {"type": "long", "logicalType": "timestamp-micros"}, "rule": "event_time"}
    faults = faults_of(rule, [at.replace(tzinfo=None)], pa.timestamp("us"))

    assert list(faults) == ([0] if complaint else [])
    assert complaint in faults.get(0, "")


TIME: dict[str, Any] = {"type": {"type": "long", "logicalType": "timestamp-micros"}}
DATE: dict[str, Any] = {"type": {"type": "int", "logicalType": "date"}}
HOURS = 3_600_000_000
FIRST, LAST = -2_208_988_800_000_000, 253_402_214_399_999_999
FIRST_DAY, LAST_DAY = -25_567, 2_932_896
OUTSIDE = "it lies outside of 1900-01-01 to 9999-12-3"


@pytest.mark.parametrize(
    ("rule", "kind", "good", "bad", "shown"),
    [
        (TIME, pa.timestamp("us"), FIRST, FIRST - 1, "1899-12-31 23:59:59.999999"),
        (TIME, pa.timestamp("us"), LAST, LAST + 1, "9999-12-31 00:00:00"),
        (TIME, pa.timestamp("us"), 0, LAST + 24 * HOURS + 1, "253402300800000000 µs after 1970"),
        (TIME, pa.timestamp("us"), 0, 2**63 - 1, "9223372036854775807 µs after 1970"),
        (TIME, pa.timestamp("us"), 0, -(2**63) + 1, "−9223372036854775807 µs after 1970"),
        (DATE, pa.date32(), FIRST_DAY, FIRST_DAY - 1, "1899-12-31"),
        (DATE, pa.date32(), LAST_DAY, LAST_DAY + 1, "2932897 days after 1970"),
        (DATE, pa.date32(), 0, 2**31 - 1, "2147483647 days after 1970"),
        (DATE, pa.date32(), 0, -(2**31), "−2147483648 days after 1970"),
    ],
)
def test_times_and_dates_are_such_as_everybody_can_hold(
    rule: dict[str, Any], kind: pa.DataType, good: int, bad: int, shown: str
) -> None:
    whole = pa.int32() if pa.types.is_date(kind) else pa.int64()
    column = pa.array([good, bad, None], whole).cast(kind)

    (told,) = checked(batch_with(column), definition_with(rule), NOW)[1].items()

    assert told[0] == 1
    assert told[1].startswith(f"it is {shown}; {OUTSIDE}")
    assert checked(batch_with(column.take([0, 2])), definition_with(rule), NOW)[1] == {}


def test_where_there_is_no_end_nothing_is_said() -> None:
    column = pa.array([2**62], pa.int64()).cast(pa.timestamp("us"))

    (told,) = checked(batch_with(column), definition_with({"type": ["null", TIME["type"]]}), NOW)[1].values()

    assert "leave it empty where there is no end (Trial.it)" in told


def test_times_in_the_middle_may_lie_anywhere() -> None:
    assert faults_of(TIME, [datetime(1970, 1, 1), datetime(2400, 1, 1)], pa.timestamp("us")) == {}  # noqa: DTZ001


@pytest.mark.parametrize(
    ("rule", "kind", "good", "bad", "complaint"),
    [
        ({"type": "long"}, pa.int64(), 2**53 - 1, 2**53, "must be at most 9007199254740991"),
        ({"type": "long"}, pa.int64(), 1 - 2**53, -(2**53), "must be at least -9007199254740991"),
        ({"type": ["null", "long"], "minimum": 0}, pa.int64(), 0, 2**53, "must be at most 9007199254740991"),
        ({"type": "double"}, pa.float64(), 1e300, float("inf"), "must be a finite number"),
        ({"type": "double"}, pa.float64(), -1e300, float("-inf"), "must be a finite number"),
        ({"type": "double"}, pa.float64(), 0.0, float("nan"), "must be a finite number"),
        ({"type": "double", "minimum": 0, "maximum": 1}, pa.float64(), 1.0, 1.5, "must be at most 1"),
        ({"type": "double", "minimum": 0, "maximum": 1}, pa.float64(), 0.0, -0.5, "is never negative"),
        ({"type": "double", "minimum": 0, "maximum": 1}, pa.float64(), 0.5, float("nan"), "must be a finite number"),
    ],
)
def test_numbers_have_bounds_even_where_none_are_stated(
    rule: dict[str, Any], kind: pa.DataType, good: float, bad: float, complaint: str
) -> None:
    assert faults_of(rule, [good, None], kind) == {}
    ((row, told),) = faults_of(rule, [good, None, bad], kind).items()
    assert row == 2
    assert f"; it {complaint} (Trial.it)" in told
    assert list(faults_of(rule, [bad, good], kind)) == [0]


def test_of_many_events_only_those_beyond_the_bounds_of_time_are_bad() -> None:
    first, step = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
    moments = [first, first - step, NOW, NOW + step]
    rule = {"type": {"type": "long", "logicalType": "timestamp-micros"}, "rule": "event_time"}

    found = faults_of(rule, [at.replace(tzinfo=None) for at in moments], pa.timestamp("us"))

    assert sorted(found) == [1, 3]


def test_a_number_is_told_with_one_sign_of_its_own() -> None:
    rule = {"type": "double", "minimum": 0, "maximum": 1}

    assert faults_of(rule, [-1e-07], pa.float64()) == {0: "it is −1e-07; it is never negative (Trial.it)"}


def test_texts_of_which_there_are_none_break_no_rule() -> None:
    assert checked(batch_with(pa.nulls(2, pa.string())), definition_with(STRING | {"max_length": 3}), NOW)[1] == {}


def test_a_contract_is_the_same_for_every_batch() -> None:
    definition = definition_with({"type": "long", "minimum": 1, "maximum": 2})

    for _ in range(2):
        assert sorted(checked(batch_with(pa.array([3, 0, 2])), definition, NOW)[1]) == [0, 1]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (STRING | {"max_length": 5}, "Sherlock"),
        (STRING | {"format": "ip"}, "Sherlock"),
        (STRING | {"format": "uuid"}, "Sherlock"),
        (STRING | {"values": ["x"]}, "Sherlock"),
        (STRING, "Sherlock\0"),
        ({"type": "long", "minimum": 0}, -221_000),
    ],
)
def test_a_personal_value_is_never_shown(rule: dict[str, Any], value: Any) -> None:
    (told,) = faults_of(rule | {"classification": "personal"}, [value]).values()

    assert "Sherlock" not in told
    assert "221" not in told
    assert told.startswith("it is a personal value, not shown,; it ") or told.startswith("it is a personal value")


def test_a_long_value_is_cut() -> None:
    (told,) = faults_of(STRING | {"max_length": 10}, ["x" * 100_000]).values()

    assert len(told) < 200


LIST: dict[str, Any] = {
    "name": "pitboss.Trial",
    "fields": [
        {"name": "bet_id", "type": "string", "format": "uuid"},
        {
            "name": "legs",
            "min_items": 0,
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Leg",
                    "fields": [
                        {"name": "leg_no", "type": "int"},
                        {"name": "odds", "type": "long", "minimum": 1_001},
                        {"name": "result", "type": "string", "values": ["won", "lost"]},
                    ],
                },
            },
        },
    ],
}
LEGS = pa.list_(pa.struct([("leg_no", pa.int32()), ("odds", pa.int64()), ("result", pa.string())]))


def listed(rows: list[list[tuple[int, str]]]) -> pa.RecordBatch:
    legs = [
        [{"leg_no": number, "odds": odds, "result": result} for number, (odds, result) in enumerate(row)]
        for row in rows
    ]
    return pa.RecordBatch.from_arrays(
        [pa.array([UUID_TEXT] * len(rows), pa.string()), pa.array(legs, LEGS)], names=["bet_id", "legs"]
    )


def test_a_fault_inside_a_list_is_one_of_its_event() -> None:
    batch = listed([[(1_500, "won")], [], [(1_500, "won"), (1_000, "lost")], [(2_000, "drawn")]])

    assert checked(batch, LIST, NOW)[1] == {
        2: "odds is 1000; it must be at least 1001 (Trial.legs[].odds)",
        3: "result is 'drawn'; it must be one of won, lost (Trial.legs[].result)",
    }


@given(
    st.lists(st.lists(st.tuples(st.integers(995, 1_005), st.sampled_from(["won", "drawn"])), max_size=3), max_size=6),
    st.integers(0, 4),
)
def test_faults_in_lists_are_found_in_any_slice(rows: list[list[tuple[int, str]]], start: int) -> None:
    bad = [any(odds < 1_001 or result == "drawn" for odds, result in row) for row in rows[start:]]

    found = checked(listed(rows).slice(start), LIST, NOW)[1]

    assert sorted(found) == [row for row, wrong in enumerate(bad) if wrong]


def test_the_first_reason_is_the_one_that_is_told() -> None:
    batch = listed([[(1, "drawn")]])
    bad_id = batch.set_column(0, "bet_id", pa.array(["no id"]))

    assert checked(bad_id, LIST, NOW)[1] == {0: "bet_id is 'no id'; it is no UUID (Trial.bet_id)"}


def test_ids_come_back_as_bytes_and_the_rest_as_it_was() -> None:
    batch = listed([[(1_500, "won")], []])

    table, _ = checked(batch, LIST, NOW)

    assert table["bet_id"].type == pa.binary(16)
    assert table["legs"].to_pylist() == batch.column("legs").to_pylist()


def test_a_nul_inside_a_list_is_found() -> None:
    definition = copy.deepcopy(LIST)
    del definition["fields"][1]["type"]["items"]["fields"][2]["values"]

    (told,) = checked(listed([[(1_500, "wo\0n")]]), definition, NOW)[1].values()

    assert "NUL" in told


def test_the_list_of_currencies_is_iso_4217s() -> None:
    assert faults_of(STRING | {"format": "currency"}, sorted(CURRENCIES)) == {}


@pytest.mark.parametrize(
    "rule",
    [
        STRING | {"format": "uuid"},
        STRING | {"format": "country"},
        STRING | {"format": "sha256"},
        STRING | {"format": "ip"},
        STRING | {"values": ["won"]},
        STRING | {"max_length": 3},
        STRING,
    ],
)
def test_nothing_beside_a_bad_text_is_no_fault(rule: dict[str, Any]) -> None:
    assert list(faults_of(rule, [None, "long and wrong\0", None])) == [1]


def test_nothing_beside_a_bad_number_is_no_fault() -> None:
    assert sorted(faults_of({"type": "long", "minimum": 1, "maximum": 2}, [None, 3, None, 0])) == [1, 3]


@pytest.mark.parametrize(("length", "shown"), [(78, 78), (79, 79), (200, 79)])
def test_eighty_characters_of_a_text_are_shown(length: int, shown: int) -> None:
    (told,) = faults_of(STRING | {"max_length": 10}, ["x" * length]).values()

    assert told.count("x") == shown
    assert told.startswith("it is 'x")


KEYED = pa.list_(pa.struct([("no", pa.int32()), ("name", pa.string())]))


def keyed(rows: list[list[tuple[int, str]]], **rules: Any) -> dict[int, str]:
    """Lists of numbers and names; what tells their elements apart, and how many there are, is what the rules say."""
    items = {"type": "record", "name": "Part", "fields": [
        {"name": "no", "type": "int"}, {"name": "name", "type": "string"}]}  # fmt: skip
    parts = pa.array([[{"no": no, "name": name} for no, name in row] for row in rows], KEYED)
    return checked(batch_with(parts), definition_with({"type": {"type": "array", "items": items}} | rules), NOW)[1]


def test_an_element_that_is_named_twice_is_a_fault_of_its_row_alone() -> None:
    rows = [
        [(1, "a"), (2, "b")],
        [(7, "a"), (8, "b"), (7, "c")],
        [(7, "a")],
        [(2, "b"), (1, "a")],
        [(5, "x"), (5, "y")],
    ]

    assert keyed(rows) == {
        1: "no 7 is named twice; each of it has another (Trial.it[].no)",
        4: "no 5 is named twice; each of it has another (Trial.it[].no)",
    }
    assert keyed(rows[:1]) == keyed(rows[2:4]) == {}


def test_a_list_is_told_apart_by_the_key_that_its_schema_names() -> None:
    rows = [[(1, "a"), (1, "b")], [(1, "a"), (2, "a")], [(3, "a")], [(3, "b"), (3, "a")]]

    assert keyed(rows, key="name") == {1: "name 'a' is named twice; each of it has another (Trial.it[].name)"}


@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=4), max_size=7), st.sampled_from(["no", "name"]))
def test_elements_named_twice_are_found_wherever_they_are(rows: list[list[int]], key: str) -> None:
    found = keyed([[(number, str(number)) for number in row] for row in rows], key=key)

    assert sorted(found) == [row for row, numbers in enumerate(rows) if len(set(numbers)) < len(numbers)]


def test_a_list_holds_as_many_as_its_schema_asks_for() -> None:
    rows = [[], [(1, "a")], [(1, "a"), (2, "b")]]

    assert keyed(rows, min_items=0) == {}
    assert keyed(rows) == keyed(rows, min_items=1) == {0: "it is empty; it has at least 1 (Trial.it)"}
    assert keyed(rows, min_items=2) == {
        0: "it is empty; it has at least 2 (Trial.it)",
        1: "it has 1 of at least 2 (Trial.it)",
    }


def test_a_fault_of_an_element_is_told_before_one_of_the_list() -> None:
    assert keyed([[(1, "a\0"), (1, "b")]])[0].startswith("name is 'a\\x00'")
