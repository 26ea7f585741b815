"""Avro bodies in, Arrow columns out: whole batches, no Python object per event."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from backoffice.kernel.errors import Poison

ID = pa.binary(16)

FRAME = 5
"""Bytes before the body: zero, and the schema id in four."""

_PRIMITIVES = {
    "string": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
}
_LOGICAL = {"date": pa.date32(), "timestamp-micros": pa.timestamp("us")}


def decode_bodies(bodies: list[bytes], schema_json: str) -> pa.RecordBatch:
    """The columns of ``bodies``, all written with one schema; leniently (sizes.py says how, and finds it out).

    Raises:
        Poison: at least one of them is not such a record, whatever the decoder says of it; which one is found by
            halving.
    """
    try:
        batch = pyruhvro.deserialize_array(bodies, schema_json)
        batch.validate(full=True)
    except Exception as error:
        raise Poison(_in_words(str(error))) from error
    except BaseException as error:
        # A panic of the Rust decoder arrives as a BaseException of a class that cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise Poison("The body is not the Avro record that its schema id promises.") from error
    return batch


def framed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of whole messages, so that no body has to be cut out of its message.

    The frame's five bytes read as two Avro values of fixed length: the zero byte as a boolean, the schema id, whatever
    it means as such, as a float. ``align`` drops both.
    """
    if schema.get("type") != "record":
        raise Poison(f"Schema {schema.get('name')} is no Avro record.")
    head = [{"name": "_frame", "type": "boolean"}, {"name": "_frame_schema", "type": "float"}]
    return schema | {"fields": [*head, *schema["fields"]]}


def align(batch: pa.RecordBatch, reader: dict[str, Any]) -> pa.RecordBatch:
    """The columns as the reader's schema names them: by name, with its defaults for what the writer did not have."""
    fields = reader["fields"]
    return pa.RecordBatch.from_arrays(
        [_aligned(batch, field, batch.num_rows) for field in fields], names=[field["name"] for field in fields]
    )


def empty(reader: dict[str, Any]) -> pa.RecordBatch:
    """The columns of no event."""
    fields = reader["fields"]
    return pa.RecordBatch.from_arrays(
        [pa.array([], arrow_type(field["type"])) for field in fields], names=[field["name"] for field in fields]
    )


def arrow_type(avro: Any) -> pa.DataType:
    """The Arrow type of a type that contracts have (and of a frame's float); a nullable union is its other branch's."""
    if isinstance(avro, list):
        return arrow_type(next(branch for branch in avro if branch != "null"))
    if isinstance(avro, str):
        return _PRIMITIVES[avro]
    if "logicalType" in avro:
        return _LOGICAL[avro["logicalType"]]
    if avro["type"] == "array":
        return pa.list_(arrow_type(avro["items"]))
    return pa.struct([(field["name"], arrow_type(field["type"])) for field in avro["fields"]])


def parse_ids(texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Texts of UUIDs as 16 bytes each, and which of them are no UUIDs and so null (null stays null and is fine).

    Each pair of hexadecimal digits is looked up in one table, all rows at a time.
    """
    if not len(texts):
        return pa.array([], ID), np.zeros(0, bool)
    if texts.null_count:
        return _parse_present_ids(texts)
    regular = pc.equal(pc.binary_length(texts), 36)
    wrong = pc.invert(regular).to_numpy(zero_copy_only=False)
    if wrong.any():
        texts = pc.if_else(regular, texts, _NIL)
    octets = np.empty((len(texts), 16), np.uint8)
    bad = wrong.copy()
    characters = _characters(texts)
    for position, start in enumerate(_PAIRS):
        pairs = np.ndarray((len(texts),), "<u2", characters, start, (36,))
        values = _octets_of_pairs()[pairs]
        bad |= values > 0xFF
        octets[:, position] = values
    for start in _HYPHENS:
        bad |= np.ndarray((len(texts),), np.uint8, characters, start, (36,)) != ord("-")
    ids = pa.Array.from_buffers(ID, len(texts), [None, pa.py_buffer(octets)])
    if bad.any():
        ids = pc.if_else(pa.array(~bad), ids, pa.scalar(None, ID))
    return ids, bad


def _parse_present_ids(texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """The same where some are null: only the others are looked at."""
    present = pc.is_valid(texts).to_numpy(zero_copy_only=False)
    ids, wrong = parse_ids(texts.drop_null())
    bad = np.zeros(len(texts), bool)
    bad[present] = wrong
    return ids.take(pa.array(np.cumsum(present) - 1, mask=~present)), bad


def offsets(column: pa.Array) -> npt.NDArray[np.int32]:
    """Where each text or list of a column begins among all their octets or elements, and where the last ends."""
    return np.frombuffer(column.buffers()[1], np.int32, len(column) + 1, column.offset * 4)


def longest(texts: pa.Array) -> int:
    """Octets of the longest text."""
    starts = offsets(texts)
    return int((starts[1:] - starts[:-1]).max()) if len(texts) else 0


def exploded(events: pa.Table, field: str, keep: Sequence[str]) -> pa.Table:
    """One row for each element of the list ``field``: the columns ``keep`` of its event, and the element's own."""
    lists = events[field].combine_chunks()
    elements = pc.list_flatten(lists)
    parents = events.select(list(keep)).take(pc.list_parent_indices(lists))
    for child in elements.type:
        parents = parents.append_column(child.name, pc.struct_field(elements, child.name))
    return parents


_NIL = "00000000-0000-0000-0000-000000000000"
_PAIRS = (0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34)
_HYPHENS = (8, 13, 18, 23)


@lru_cache(maxsize=1)
def _octets_of_pairs() -> np.ndarray:
    table = np.full(65536, 0x100, np.uint16)
    digits = "0123456789abcdefABCDEF"
    for high in digits:
        for low in digits:
            table[ord(low) << 8 | ord(high)] = int(high + low, 16)
    return table


def _characters(texts: pa.Array) -> memoryview:
    """The characters of an array of texts of 36 bytes each, one after another."""
    texts = texts.cast(pa.string())
    _, offsets, data = texts.buffers()
    start = int(np.frombuffer(offsets, np.int32, len(texts) + 1, texts.offset * 4)[0])
    return memoryview(data)[start : start + 36 * len(texts)]


def _aligned(batch: Any, field: dict[str, Any], rows: int) -> pa.Array:
    wanted = arrow_type(field["type"])
    present = batch.schema.get_field_index(field["name"])
    if present < 0:
        return pa.array([_default(field)] * rows, wanted)
    return _as_type(batch.column(present), wanted, field["type"])


def _as_type(column: pa.Array, wanted: pa.DataType, avro: Any) -> pa.Array:
    if column.type == wanted:
        return column
    if pa.types.is_list(wanted):
        record = avro["items"]
        elements = column.flatten()
        children = pa.RecordBatch.from_struct_array(elements)
        inner = align(children, record)
        values = pa.StructArray.from_arrays(inner.columns, names=inner.schema.names)
        return pa.ListArray.from_arrays(_offsets(column), values)
    return column.cast(wanted)


def _offsets(lists: pa.ListArray) -> pa.Array:
    """Offsets into the flattened elements, which begin at 0 whatever slice the array is."""
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
    return pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32())


def _default(field: dict[str, Any]) -> Any:
    if "default" not in field:
        raise Poison(f"The writer's schema has no {field['name']}, and it has no default.")
    return field["default"]


def _in_words(error: str) -> str:
    if "UTF8" in error or "utf-8" in error.lower():
        return f"A text of the body is not valid UTF-8 ({error})."
    return f"The body is cut short or is not the Avro record that its schema id promises ({error})."
