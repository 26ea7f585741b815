from collections import defaultdict

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.streams.store.folding import added, distinct, newest

Row = tuple[str, int, int, int]
NAMES = ("player", "market", "version", "amount")
KEY = ("player", "market")

rows_of = st.lists(
    st.tuples(st.sampled_from(["", "a", "b"]), st.integers(0, 2), st.integers(0, 5), st.integers(-(2**40), 2**40)),
    max_size=20,
)


def table(rows: list[Row], chunk: int = 3) -> pa.Table:
    """In several chunks, as batches of several record types come."""
    types = [pa.string(), pa.int64(), pa.int64(), pa.int64()]
    columns = zip(*rows, strict=True) if rows else ((), (), (), ())
    arrays = [
        pa.chunked_array([values[at : at + chunk] for at in range(0, len(values), chunk)], kind)
        for values, kind in zip(map(list, columns), types, strict=True)
    ]
    return pa.table(arrays, names=NAMES)


def rows(found: pa.Table) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in found.column_names) for row in found.to_pylist()]


@given(rows_of)
def test_newest_keeps_the_greatest_of_each_key(given_rows: list[Row]) -> None:
    by_key: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in given_rows:
        by_key[row[:2]].append(row)

    found = newest(table(given_rows), KEY, ("version", "amount"))

    assert rows(found) == [max(by_key[key], key=lambda row: row[2:]) for key in sorted(by_key)]


@given(rows_of)
def test_added_sums_each_key(given_rows: list[Row]) -> None:
    sums: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for player, market, version, amount in given_rows:
        sums[player, market][0] += version
        sums[player, market][1] += amount

    found = added(table(given_rows), KEY, ("version", "amount"))

    assert rows(found) == [(*key, *sums[key]) for key in sorted(sums)]


@given(rows_of)
def test_distinct_keeps_the_first_of_each_key(given_rows: list[Row]) -> None:
    first: dict[tuple[str, int], Row] = {}
    for row in given_rows:
        first.setdefault(row[:2], row)

    assert rows(distinct(table(given_rows), KEY)) == [first[key] for key in sorted(first)]


def test_ids_of_16_bytes_are_keys_too() -> None:
    ids = [bytes([number] * 16) for number in (2, 1, 2)]
    found = pa.table({"id": pa.array(ids, pa.binary(16)), "version": [1, 1, 3]})

    assert newest(found, ("id",), ("version",)).to_pylist() == [
        {"id": ids[1], "version": 1},
        {"id": ids[2], "version": 3},
    ]


@pytest.mark.parametrize(
    "amounts",
    [
        [2**62, 2**62],
        [-(2**62), -(2**62), -(2**62)],
        [2**63 - 1, 1],
        [-(2**63), -(2**63)],
        [-(2**63), -1],
        [0, -(2**63)],
    ],
)
def test_a_sum_that_would_wrap_is_refused(amounts: list[int]) -> None:
    with pytest.raises(pa.ArrowInvalid, match="sum of amount"):
        added(table([("a", 0, 0, amount) for amount in amounts]), KEY, ("amount",))


@pytest.mark.parametrize("beside", [-1, 1])
def test_a_sum_that_would_wrap_is_refused_beside_one_that_fits(beside: int) -> None:
    for amount in (2**62, -(2**62) - 1):
        with pytest.raises(pa.ArrowInvalid, match="sum of amount"):
            added(table([("a", 0, 0, amount), ("a", 0, 0, amount), ("b", 0, 0, beside)]), KEY, ("amount",))


@pytest.mark.parametrize("amount", [2**62 - 1, -(2**62) + 1])
def test_a_sum_that_fits_is_not(amount: int) -> None:
    one = added(table([("a", 0, 0, amount), ("a", 0, 0, amount)]), KEY, ("amount",))
    each = added(table([("a", 0, 0, amount), ("b", 0, 0, amount)]), KEY, ("amount",))

    assert one["amount"].to_pylist() == [2 * amount]
    assert each["amount"].to_pylist() == [amount, amount]
    assert added(table([("a", 0, 0, 2**63 - 1)]), KEY, ("amount",))["amount"].to_pylist() == [2**63 - 1]
