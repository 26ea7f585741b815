"""How many bytes each event of a batch would have, written as we write: from its columns, all rows at once.

A decoder of whole columns is lenient: it lets bytes follow, takes numbers in more bytes than they need, and cuts what
is too large for its type. A body that it read so is longer than the event that it made of it: every value takes the
fewest bytes here, so only where each was written in its shortest form and nothing follows are the lengths equal. Two
cases alone could hide: an int cut to 32 bits and a long cut to 64 may come out as long as they were. Both then have the
greatest length of their type, which no value within a contract's bounds has; such rows get a length that no body has,
so that they are looked at.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backoffice.contracts.avro import DATE, TIME, is_nullable, value_type
from backoffice.contracts.columns import offsets

DOUBTED = -1
"""The length of a row that has to be looked at; no body has it."""

_FIXED = {"boolean": 1, "float": 4, "double": 8}
_LONGEST = {"int": 5, "long": 10}


def encoded_sizes(batch: pa.RecordBatch, record: dict[str, Any]) -> npt.NDArray[np.int64]:
    """Bytes of each row by the plain, resolved schema that it was decoded with, or ``DOUBTED``."""
    return _Tally(batch.num_rows).of(batch.columns, record)


class _Tally:
    """Sums up the fields of some rows: what is the same for all, what each has beyond that, and which are doubted."""

    def __init__(self, rows: int) -> None:
        self.same = 0
        self.more = np.zeros(rows, np.int32)
        self.doubted: npt.NDArray[np.bool_] | None = None
        self._lengths = np.empty(rows, np.int32)

    def of(self, columns: list[pa.Array], record: dict[str, Any]) -> npt.NDArray[np.int64]:
        for column, field in zip(columns, record["fields"], strict=True):
            self._field(column, field["type"])
        sizes = self.more + np.int64(self.same)
        if self.doubted is not None:
            sizes[self.doubted] = DOUBTED
        return sizes

    def _field(self, column: pa.Array, avro: Any) -> None:
        if not is_nullable(avro):
            self._value(column, avro)
            return
        self.same += 1
        if column.null_count == len(column):
            return
        value = value_type(avro)
        self._value(column, value)
        if column.null_count:
            # What is null was counted as zero or as an empty text.
            self.more -= column.is_null().to_numpy(zero_copy_only=False) * np.int32(_FIXED.get(_name(value), 1))

    def _value(self, column: pa.Array, avro: Any) -> None:
        if avro == "string":
            starts = offsets(column)
            np.subtract(starts[1:], starts[:-1], out=self._lengths)
            self.more += self._lengths
            self._length(self._lengths)
        elif avro in ("int", DATE):
            self._number(_numbers(column), "int")
        elif avro in ("long", TIME):
            self._number(_numbers(column), "long")
        elif isinstance(avro, str):
            self.same += _FIXED[avro]
        elif avro["type"] == "array":
            self._list(column, avro["items"])
        else:
            # The number of one of few symbols.
            self.same += 1

    def _list(self, column: pa.Array, item: dict[str, Any]) -> None:
        """One block: how many, the elements, and the zero that ends it; of no elements only the zero."""
        starts = offsets(column)
        counts, ends = starts[1:] - starts[:-1], starts - starts[0]
        elements = column.flatten()
        sizes = _Tally(len(elements)).of(elements.flatten(), item)
        self.more += _sums(sizes, ends)
        self.more += counts > 0
        self._length(counts)
        if len(sizes) and sizes.min() == DOUBTED:
            self._doubt(_sums(sizes == DOUBTED, ends) > 0)

    def _length(self, lengths: npt.NDArray[np.int32]) -> None:
        self._sized(lengths, 1, _size(int(lengths.max())) if len(lengths) else 1)

    def _number(self, numbers: npt.NDArray[Any], avro: str) -> None:
        if not len(numbers):
            return
        least, greatest = int(numbers.min()), int(numbers.max())
        shortest, longest = sorted((_size(least), _size(greatest)))
        self._sized(numbers, 1 if least < 0 < greatest else shortest, longest)
        if longest == _LONGEST[avro]:
            limit = 1 << 7 * (longest - 1) - 1
            self._doubt((numbers >= limit) | (numbers < -limit))

    def _sized(self, numbers: npt.NDArray[Any], shortest: int, longest: int) -> None:
        self.same += shortest
        for size in range(shortest, longest):
            limit = 1 << 7 * size - 1
            self.more += (numbers >= limit) | (numbers < -limit)

    def _doubt(self, rows: npt.NDArray[np.bool_]) -> None:
        self.doubted = rows if self.doubted is None else self.doubted | rows


def _sums(values: npt.NDArray[Any], ends: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The sum of each row's values, which lie one row's after the other's."""
    sums = np.zeros(len(values) + 1, np.int32)
    np.cumsum(values, out=sums[1:])
    found: npt.NDArray[np.int32] = sums[ends]
    return found[1:] - found[:-1]


def _size(number: int) -> int:
    zigzag = number << 1 ^ number >> 63
    return max(1, (zigzag.bit_length() + 6) // 7)


def _name(avro: Any) -> str:
    return avro if isinstance(avro, str) else ""


def _numbers(column: pa.Array) -> npt.NDArray[Any]:
    """The values; what is null is zero."""
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    elif pa.types.is_date(column.type):
        column = column.view(pa.int32())
    if column.null_count:
        column = pc.fill_null(column, 0)
    numbers: npt.NDArray[Any] = column.to_numpy(zero_copy_only=True)
    return numbers
