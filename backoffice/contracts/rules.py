"""The rules that stand in a schema beside its fields, checked on whole columns.

A field may carry ``format`` (uuid, currency, country, ip, sha256), ``minimum``, ``maximum``, ``values``, ``max_length``
and ``rule`` (event_time), a list ``key`` and ``min_items``; what holds where they do not is in bounds.py. Every text is
also held to what Postgres can store.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from ipaddress import ip_address
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backoffice.contracts import bounds
from backoffice.contracts.avro import is_nullable
from backoffice.contracts.columns import longest, offsets, parse_ids
from backoffice.kernel.clock import microseconds
from backoffice.kernel.money import CURRENCIES

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No event of the platform is older."""

# Which rows of a column break a rule.
Rows = npt.NDArray[np.bool_]
# One moment for all rows, or for each row its own (microseconds since 1970).
Latest = datetime | npt.NDArray[np.int64]
_DAY_ONE = date(1970, 1, 1)
_NO_TWICE = np.zeros(0, np.int64)
_NEVER = np.iinfo(np.int64).max


def checked(batch: pa.RecordBatch, schema: dict[str, Any], latest: Latest) -> tuple[pa.Table, dict[int, str]]:
    """The batch with its ids as 16 bytes each, and for each row that breaks a rule the first reason, in words.

    No event may have happened after ``latest``: when its message was taken, and what a producer's clock may be ahead.
    Rows with a fault are still in the table (an unreadable id as null); the caller drops them.
    """
    columns: list[pa.Array] = []
    faults: dict[int, str] = {}
    for field, column in zip(schema["fields"], batch.columns, strict=True):
        where = f"{schema['name'].rpartition('.')[2]}.{field['name']}"
        if field.get("format") == "uuid":
            ids, bad = parse_ids(column)
            _note(faults, bad, column, field, "is no UUID", where)
            columns.append(ids)
            continue
        columns.append(column)
        for bad, complaint in _broken(column, field, latest):
            _note(faults, bad, column, field, complaint, where)
        if pa.types.is_list(column.type):
            _check_list(faults, column, field, where, latest)
    return pa.Table.from_arrays(columns, names=batch.schema.names), faults


def _check_list(faults: dict[int, str], lists: pa.Array, field: dict[str, Any], where: str, latest: Latest) -> None:
    """The rules of a list and of the records inside; a fault of an element is one of the row that holds it."""
    elements = pc.list_flatten(lists)
    parents = pc.list_parent_indices(lists).to_numpy()
    until = latest if isinstance(latest, datetime) else latest[parents]
    for child in field["type"]["items"]["fields"]:
        column = pc.struct_field(elements, child["name"])
        for bad, complaint in _broken(column, child, until):
            for index in np.flatnonzero(bad):
                told = _told(child, column[int(index)], complaint, f"{where}[].{child['name']}")
                faults.setdefault(int(parents[index]), told)
    _check_length(faults, lists, field, where)
    key = bounds.item_key(field)
    keys = pc.struct_field(elements, key)
    for index in _named_again(keys, parents):
        told = f"{key} {_shown(keys[int(index)])} is named twice; each of {field['name']} has another ({where}[].{key})"
        faults.setdefault(int(parents[index]), told)


def _check_length(faults: dict[int, str], lists: pa.Array, field: dict[str, Any], where: str) -> None:
    fewest = bounds.fewest_items(field)
    if not fewest:
        return
    starts = offsets(lists)
    lengths = starts[1:] - starts[:-1]
    for row in np.flatnonzero(lengths < fewest).tolist():
        told = f"has {lengths[row]} of at least {fewest}" if lengths[row] else f"is empty; it has at least {fewest}"
        faults.setdefault(row, f"{field['name']} {told} ({where})")


def _named_again(keys: pa.Array, parents: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The elements whose key an earlier one of the same list has; mostly keys rise, which is seen at a glance."""
    if len(keys) < 2:
        return _NO_TWICE
    numbers = (keys if pa.types.is_integer(keys.type) else keys.dictionary_encode().indices).to_numpy()
    if not ((parents[1:] == parents[:-1]) & (numbers[1:] <= numbers[:-1])).any():
        return _NO_TWICE
    order = np.lexsort((numbers, parents))
    numbers, parents = numbers[order], parents[order]
    found: npt.NDArray[np.int64] = order[1:][(parents[1:] == parents[:-1]) & (numbers[1:] == numbers[:-1])]
    return found


def _note(
    faults: dict[int, str], bad: Rows, column: pa.Array, field: dict[str, Any], complaint: str, where: str
) -> None:
    for row in np.flatnonzero(bad).tolist():
        if row not in faults:
            faults[row] = _told(field, column[row], complaint, where)


def _told(field: dict[str, Any], value: pa.Scalar, complaint: str, where: str) -> str:
    shown = "a personal value, not shown," if field.get("classification") == "personal" else _shown(value)
    return f"{field['name']} is {shown[:80]}; it {complaint} ({where})"


def _shown(value: pa.Scalar) -> str:
    """A value for people; a time that Python cannot hold as the number that was sent."""
    try:
        found = value.as_py()
    except (OverflowError, ValueError):
        return f"{value.value} {'days' if pa.types.is_date(value.type) else 'µs'} after 1970".replace("-", "−", 1)
    if isinstance(found, date):
        return str(found)
    return str(found).replace("-", "−", 1) if isinstance(found, int | float) else repr(found)


def _broken(column: pa.Array, field: dict[str, Any], latest: Latest) -> Iterator[tuple[Rows, str]]:
    """For each rule of the field that some row breaks: which rows, and the complaint about them.

    The least and greatest values, the longest text and the distinct texts say cheaply that all rows are right, which
    they nearly always are; only where they do not is each row looked at.
    """
    if pa.types.is_string(column.type):
        yield from _broken_text(column, field)
    elif pa.types.is_timestamp(column.type):
        yield from _broken_time(column.view(pa.int64()), field, latest)
    elif pa.types.is_date(column.type):
        yield from _broken_date(column.view(pa.int32()), field)
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        yield from _broken_number(column, field)


def _broken_time(column: pa.Array, field: dict[str, Any], latest: Latest) -> Iterator[tuple[Rows, str]]:
    if field.get("rule") != "event_time":
        first, last = bounds.EARLIEST, bounds.LATEST
        yield from _beyond(column, microseconds(first), microseconds(last), _unholdable(field, first, last))
        return
    ends = np.full(len(column), microseconds(latest)) if isinstance(latest, datetime) else latest
    if _within(column, microseconds(EARLIEST), int(ends.min(initial=_NEVER))):
        return
    why = "an event has the time at which it happened"
    yield from _if_any(pc.less(column, microseconds(EARLIEST)), f"is before {EARLIEST:%Y-%m-%d}; {why}")
    yield from _if_any(pc.greater(column, pa.array(ends)), f"lies in the future; {why}")


def _broken_date(column: pa.Array, field: dict[str, Any]) -> Iterator[tuple[Rows, str]]:
    first, last = bounds.FIRST_DAY, bounds.LAST_DAY
    days = (first - _DAY_ONE).days, (last - _DAY_ONE).days
    yield from _beyond(column, *days, _unholdable(field, first, last))


def _beyond(column: pa.Array, first: int, last: int, complaint: str) -> Iterator[tuple[Rows, str]]:
    if not _within(column, first, last):
        yield from _if_any(pc.or_(pc.less(column, first), pc.greater(column, last)), complaint)


def _unholdable(field: dict[str, Any], first: date, last: date) -> str:
    lies = f"lies outside of {first:%Y-%m-%d} to {last:%Y-%m-%d}, beyond which not every table and reader can hold it"
    return f"{lies}; leave it empty where there is no end" if is_nullable(field["type"]) else lies


def _broken_number(column: pa.Array, field: dict[str, Any]) -> Iterator[tuple[Rows, str]]:
    if pa.types.is_floating(column.type):
        yield from _if_any(pc.invert(pc.is_finite(column)), "must be a finite number")
    minimum, maximum = bounds.number_bounds(field)
    if _within(column, minimum, maximum):
        return
    complaint = "is never negative" if minimum == 0 else f"must be at least {minimum}"
    yield from _if_any(pc.less(column, minimum), complaint)
    yield from _if_any(pc.greater(column, maximum), f"must be at most {maximum}")


def _within(column: pa.Array, minimum: bounds.Number, maximum: bounds.Number) -> bool:
    """Whether all values that there are lie between the two."""
    if not len(column) - column.null_count:
        return True
    if column.null_count:
        extremes = pc.min_max(column)
        least, greatest = extremes["min"].as_py(), extremes["max"].as_py()
    else:
        numbers = column.to_numpy(zero_copy_only=True)
        least, greatest = numbers.min(), numbers.max()
    return bool(minimum <= least and greatest <= maximum)


def _broken_text(column: pa.Array, field: dict[str, Any]) -> Iterator[tuple[Rows, str]]:
    if _holds_nul(column):
        yield from _if_any(pc.match_substring(column, "\0"), "holds a NUL character, which no table can store")
    limit = field.get("max_length")
    # No text has more characters than bytes.
    if limit is not None and longest(column) > limit:
        yield from _if_any(pc.greater(pc.utf8_length(column), limit), f"is longer than {limit} characters")
    allowed = _allowed(field)
    check = _FORMATS.get(field.get("format", ""))
    if allowed is None and check is None:
        return
    distinct = pc.unique(column)
    if allowed is not None and not allowed.issuperset(distinct.drop_null().to_pylist()):
        known = pc.is_in(column, value_set=pa.array(sorted(allowed), pa.string()))
        yield from _if_any(pc.and_(pc.is_valid(column), pc.invert(known)), _not_allowed(field))
    if check is not None and any(True for _ in check(distinct)):
        yield from check(column)


def _allowed(field: dict[str, Any]) -> frozenset[str] | None:
    if field.get("format") == "currency":
        return CURRENCIES
    return frozenset(field["values"]) if "values" in field else None


def _not_allowed(field: dict[str, Any]) -> str:
    if field.get("format") == "currency":
        return "is no ISO 4217 currency code"
    return f"must be one of {', '.join(field['values'])}"


def _holds_nul(column: pa.Array) -> bool:
    """Quick look over the characters of all rows at once; a slice may say yes for a row beside it."""
    data = column.buffers()[2]
    return data is not None and _NUL.search(data) is not None


def _if_any(bad: pa.Array, complaint: str) -> Iterator[tuple[Rows, str]]:
    if pc.any(bad).as_py():
        yield pc.fill_null(bad, False).to_numpy(zero_copy_only=False), complaint


def _country(column: pa.Array) -> Iterator[tuple[Rows, str]]:
    fits = pc.match_substring_regex(column, "^[A-Z]{2}$")
    yield from _if_any(pc.invert(fits), "is no country code of two capital letters")


def _digest(column: pa.Array) -> Iterator[tuple[Rows, str]]:
    yield from _if_any(pc.invert(pc.match_substring_regex(column, "^[0-9a-f]{64}$")), "is no SHA-256 sum")


def _address(column: pa.Array) -> Iterator[tuple[Rows, str]]:
    distinct = column.dictionary_encode()
    bad = pa.array([not _is_address(text) for text in distinct.dictionary.to_pylist()], pa.bool_())
    yield from _if_any(bad.take(distinct.indices), "is no IP address")


def _is_address(text: str) -> bool:
    if not re.fullmatch(r"[0-9A-Fa-f:.]{2,45}", text):
        return False
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


_NUL = re.compile(b"\0")
_FORMATS = {"country": _country, "sha256": _digest, "ip": _address}
