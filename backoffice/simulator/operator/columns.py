"""What a slice says of each record type, and how that becomes Arrow columns in the shape of its Avro schema."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from backoffice.contracts.columns import arrow_type
from backoffice.simulator.operator.arrays import Array, Ids, Ints


@dataclass(frozen=True, slots=True)
class Words:
    """Texts out of few: ``words[code]`` for each row."""

    codes: Ints
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Later:
    """Values that are converted all together, at the end of the slice."""

    values: Sequence[Any]
    convert: Callable[[Sequence[Any]], pa.Array]


# A value for each row, or one for all of them; None is null. An empty id is null.
Column: TypeAlias = Array | Words | Later | pa.Array | str | int | bool | None


def arrow(parts: Sequence[tuple[Column, int]], avro: Any) -> pa.Array:
    """The column of several parts, each with its number of rows, for a field of this Avro type."""
    wanted = arrow_type(avro)
    joined = _joined(parts)
    if joined is not None:
        return _converted(joined, sum(rows for _, rows in parts), wanted)
    return pa.concat_arrays([_converted(column, rows, wanted) for column, rows in parts])


def _joined(parts: Sequence[tuple[Column, int]]) -> Any:
    """All parts as one where they are of one kind, so that they are converted at once; else None."""
    first = parts[0][0]
    if len(parts) == 1:
        return first
    if isinstance(first, np.ndarray) and all(isinstance(part, np.ndarray) for part, _ in parts):
        return np.concatenate([part for part, _ in parts])
    if isinstance(first, Words) and all(isinstance(part, Words) and part.words == first.words for part, _ in parts):
        return Words(np.concatenate([part.codes for part, _ in parts if isinstance(part, Words)]), first.words)
    if isinstance(first, Later):
        return Later([value for part, _ in parts if isinstance(part, Later) for value in part.values], first.convert)
    if isinstance(first, str | int) and all(isinstance(part, str | int) and part == first for part, _ in parts):
        return first
    return None


def _converted(column: Column, rows: int, wanted: pa.DataType) -> pa.Array:
    if column is None:
        return pa.nulls(rows, wanted)
    if isinstance(column, Words):
        return pa.array(column.words, pa.string()).take(pa.array(column.codes))
    if isinstance(column, Later):
        return column.convert(column.values)
    if isinstance(column, np.ndarray):
        return id_column(column) if column.dtype.kind == "S" else pa.array(column, wanted)
    if isinstance(column, pa.Array):
        return column
    return pa.repeat(pa.scalar(column, wanted), rows)


def id_column(ids: Ids) -> pa.Array:
    """Ids as an Arrow column of texts; null where there is none."""
    present = ids != b""
    if not present.all():
        offsets = np.concatenate(([0], np.cumsum(np.where(present, 36, 0))))
        mask = pa.py_buffer(np.packbits(present, bitorder="little"))
        return _text_column(ids[present], offsets, mask)
    return _text_column(ids, np.arange(len(ids) + 1) * 36, None)


def _text_column(ids: Ids, offsets: Ints, mask: pa.Buffer | None) -> pa.Array:
    data = pa.py_buffer(np.ascontiguousarray(ids).tobytes())
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets.astype(np.int32)), data, mask)
