"""The rules that stand in a schema beside its fields, checked on whole columns.

A field may carry ``format`` (uuid, currency, country, ip, sha256), ``minimum``, ``maximum``, ``values``, ``max_length``
and ``rule`` (event_time). Every text is also held to what Postgres can store.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backoffice.contracts.columns import parse_ids
from backoffice.kernel.money import CURRENCIES

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
# Which rows of a column break a rule.
Rows = npt.NDArray[np.bool_]


def checked(batch: pa.RecordBatch, schema: dict[str, Any], now: datetime) -> tuple[pa.Table, dict[int, str]]:
    """The batch with its ids as 16 bytes each, and for each row that breaks a rule the first reason, in words.

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
        for bad, complaint in _broken(column, field, now):
            _note(faults, bad, column, field, complaint, where)
        if pa.types.is_list(column.type):
            _check_elements(faults, column, field, where, now)
    return pa.Table.from_arrays(columns, names=batch.schema.names), faults


def _check_elements(faults: dict[int, str], lists: pa.Array, field: dict[str, Any], where: str, now: datetime) -> None:
    """The rules of the records inside a list; a fault of an element is one of the row that holds it."""
    elements = pc.list_flatten(lists)
    parents = pc.list_parent_indices(lists).to_numpy()
    for child in field["type"]["items"]["fields"]:
        column = pc.struct_field(elements, child["name"])
        for bad, complaint in _broken(column, child, now):
            for index in np.flatnonzero(bad):
                told = _told(child, column[int(index)].as_py(), complaint, f"{where}[].{child['name']}")
                faults.setdefault(int(parents[index]), told)


def _note(
    faults: dict[int, str], bad: Rows, column: pa.Array, field: dict[str, Any], complaint: str, where: str
) -> None:
    for row in np.flatnonzero(bad).tolist():
        faults.setdefault(row, _told(field, column[row].as_py(), complaint, where))


def _told(field: dict[str, Any], value: object, complaint: str, where: str) -> str:
    shown = str(value).replace("-", "−", 1) if isinstance(value, int) else repr(value)
    if field.get("classification") == "personal":
        shown = "a personal value, not shown,"
    return f"{field['name']} is {shown[:80]}; it {complaint} ({where})"


def _broken(column: pa.Array, field: dict[str, Any], now: datetime) -> Iterator[tuple[Rows, str]]:
    """For each rule of the field that some row breaks: which rows, and the complaint about them.

    The least and greatest values, the longest text and the distinct texts say cheaply that all rows are right, which
    they nearly always are; only where they do not is each row looked at.
    """
    if pa.types.is_string(column.type):
        yield from _broken_text(column, field)
    elif pa.types.is_integer(column.type):
        yield from _broken_number(column, field)
    elif field.get("rule") == "event_time":
        yield from _broken_time(column, now)


def _broken_time(column: pa.Array, now: datetime) -> Iterator[tuple[Rows, str]]:
    first, last = (pa.scalar(at.replace(tzinfo=None), column.type) for at in (EARLIEST, now + AHEAD))
    if _within(column, first.cast(pa.int64()).as_py(), last.cast(pa.int64()).as_py()):
        return
    yield from _if_any(
        pc.less(column, first), f"is before {EARLIEST:%Y-%m-%d}; an event has the time at which it happened"
    )
    yield from _if_any(pc.greater(column, last), "lies in the future; an event has the time at which it happened")


def _broken_number(column: pa.Array, field: dict[str, Any]) -> Iterator[tuple[Rows, str]]:
    minimum, maximum = field.get("minimum"), field.get("maximum")
    if _within(column, minimum, maximum):
        return
    if minimum is not None:
        complaint = "is never negative" if minimum == 0 else f"must be at least {minimum}"
        yield from _if_any(pc.less(column, minimum), complaint)
    if maximum is not None:
        yield from _if_any(pc.greater(column, maximum), f"must be at most {maximum}")


def _within(column: pa.Array, minimum: int | None, maximum: int | None) -> bool:
    """Whether all values that there are lie between the two."""
    if minimum is None and maximum is None:
        return True
    extremes = pc.min_max(column.view(pa.int64()) if pa.types.is_timestamp(column.type) else column)
    least, greatest = extremes["min"].as_py(), extremes["max"].as_py()
    return least is None or ((minimum is None or least >= minimum) and (maximum is None or greatest <= maximum))


def _broken_text(column: pa.Array, field: dict[str, Any]) -> Iterator[tuple[Rows, str]]:
    if _holds_nul(column):
        yield from _if_any(pc.match_substring(column, "\0"), "holds a NUL character, which no table can store")
    limit = field.get("max_length")
    # No text has more characters than bytes.
    if limit is not None and not _within(pc.binary_length(column), None, limit):
        yield from _if_any(pc.greater(pc.utf8_length(column), limit), f"is longer than {limit} characters")
    allowed, complaint = _allowed(field)
    check = _FORMATS.get(field.get("format", ""))
    if allowed is None and check is None:
        return
    distinct = pc.unique(column)
    if allowed is not None and not pc.all(pc.is_in(distinct.drop_null(), value_set=allowed), min_count=0).as_py():
        known = pc.is_in(column, value_set=allowed)
        yield from _if_any(pc.and_(pc.is_valid(column), pc.invert(known)), complaint)
    if check is not None and any(True for _ in check(distinct)):
        yield from check(column)


def _allowed(field: dict[str, Any]) -> tuple[pa.Array | None, str]:
    if field.get("format") == "currency":
        return _CURRENCIES, "is no ISO 4217 currency code"
    if "values" in field:
        return pa.array(field["values"], pa.string()), f"must be one of {', '.join(field['values'])}"
    return None, ""


def _holds_nul(column: pa.Array) -> bool:
    """Quick look over the characters of all rows at once; a slice may say yes for a row beside it."""
    data = column.buffers()[2]
    return data is not None and b"\0" in memoryview(data).tobytes()


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


_CURRENCIES = pa.array(sorted(CURRENCIES), pa.string())
_FORMATS = {"country": _country, "sha256": _digest, "ip": _address}
