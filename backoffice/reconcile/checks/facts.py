"""What a fact row must hold, by its event: which field stands in which column, and how both sides are summed up.

Both sides write a row as one text, column by column, and sum the CRC-32 of these texts; so two sums tell of thousands
of rows whether they are the same. What a text says may have any letters in it: what separates columns is escaped, and
so is a text that reads like no text at all.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any
from zlib import crc32

import numpy as np
from django.apps import apps
from django.db import models
from numpy.typing import NDArray
from psycopg import sql

from backoffice.contracts.definitions import schema

from ..declared import described
from ..messages.reading import Event, Events

_ORIGIN = frozenset({"stream", "record", "source_generation", "source_partition", "source_offset", "digest"})


_WRITTEN = {
    "DateTimeField": "(extract(epoch FROM {}) * 1000000)::bigint::text",
    "DateField": "({} - DATE '1970-01-01')::text",
    "BooleanField": "initcap({}::text)",
    "ArrayField": "to_jsonb({})::text",
}
# Of what is written without letters of its producer's choice.
_PLAIN = (models.DateField, models.BooleanField, models.UUIDField, models.IntegerField)


@dataclass(frozen=True)
class Sums:
    """Of some rows or events: how many, the sum of their checksums, and that of the digests of their bodies.

    ``undigested`` are rows from before there were digests.
    """

    count: int
    checksum: int
    digests: int
    undigested: int = 0

    def agree(self, stored: "Sums") -> bool:
        same = (self.count, self.checksum) == (stored.count, stored.checksum)
        return same and (self.digests == stored.digests or stored.undigested > 0)


NOTHING = Sums(0, 0, 0)


@dataclass(frozen=True)
class Table:
    """A fact table: its columns, and the SQL of each as a text and as a part of the text of its row."""

    name: str
    columns: tuple[str, ...]
    texts: tuple[sql.Composable, ...]
    parts: tuple[sql.Composable, ...]
    has_record: bool
    has_stream: bool

    def checksum(self) -> sql.Composable:
        """Of a row with its offset: rows that have changed places add up to the same without it."""
        return checksum((*self.parts, sql.SQL("source_offset::text")))


@dataclass(frozen=True)
class Form:
    """How an event of one record type stands in its fact table. Constants take the place of fields it does not have."""

    record: str
    table: Table
    fields: tuple[str | None, ...]
    constants: tuple[Any, ...]
    ids: frozenset[str]
    personal: frozenset[str]
    money: frozenset[str]

    def sums(self, events: Events, digested: NDArray[np.int64]) -> Sums:
        template = "|".join("%s" if field else str(c) for field, c in zip(self.fields, self.constants, strict=True))
        values = itemgetter(*(field for field in self.fields if field))
        between = template.count("|")

        def line(event: Event) -> str:
            found = values(event)
            told = template % found
            return told if _is_plain(told, between, found) else as_line(self._whole(event))

        placed = zip(events.offsets, events.bodies, strict=True)
        checks = sum([crc32(f"{line(event)}|{offset}".encode()) for offset, event in placed])
        # In halves, as the sum of whole ones leaves 64 bits.
        total = (int((digested >> 32).sum()) << 32) + int((digested & 0xFFFFFFFF).sum())
        return Sums(len(events.offsets), checks, total)

    def values(self, event: Event) -> list[str | None]:
        """The text of each column, if it has one; ids as Postgres writes them."""
        texts: list[str | None] = []
        for field, value in zip(self.fields, self._whole(event), strict=True):
            text = None if value is None else str(value)
            texts.append(text.lower() if text and field in self.ids else text)
        return texts

    def _whole(self, event: Event) -> list[Any]:
        return [event[field] if field else c for field, c in zip(self.fields, self.constants, strict=True)]


def as_line(values: Sequence[Any]) -> str:
    """A row as one text, as `checksum` has it."""
    line = "|".join(map(str, values))
    return line if _is_plain(line, len(values) - 1, values) else "|".join(map(_escaped, values))


def _is_plain(line: str, between: int, values: Sequence[Any]) -> bool:
    """Whether the values of a row stand in it as they are; nearly always."""
    return line.count("|") == between and "\\" not in line and "None" not in values


def _escaped(value: Any) -> str:
    return "\\None" if value == "None" else str(value).replace("\\", "\\\\").replace("|", "\\|")


def checksum(parts: Iterable[sql.Composable]) -> sql.Composable:
    """The SQL of the CRC-32 of a row's text, by the parts that `as_part` gives."""
    return sql.SQL("crc32(convert_to(concat_ws('|', {}), 'UTF8'))").format(sql.SQL(", ").join(parts))


@cache
def table(name: str) -> Table:
    model = next(model for model in apps.get_models() if model._meta.db_table == name)
    columns = [field for field in model._meta.concrete_fields if field.column not in _ORIGIN]
    names = {field.column for field in model._meta.concrete_fields}
    return Table(
        name,
        tuple(c.column or "" for c in columns),
        tuple(as_text(c, c.column or "") for c in columns),
        tuple(as_part(c, c.column or "") for c in columns),
        "record" in names,
        "stream" in names,
    )


def as_text(field: "models.Field[Any, Any]", *column: str) -> sql.Composable:
    """A column as Python's ``str`` writes the event's value: True, numbers of microseconds or days; lists as JSON."""
    kind = "ArrayField" if field.get_internal_type() == "ArrayField" else type(field).__name__
    return sql.SQL(_WRITTEN.get(kind, "{}::text")).format(sql.Identifier(*column))


def as_part(field: "models.Field[Any, Any]", *column: str) -> sql.Composable:
    """A column as it stands in the text of its row: None where it is null, and what separates columns escaped."""
    text = as_text(field, *column)
    if isinstance(field, _PLAIN):
        return sql.SQL("coalesce({}, 'None')").format(text)
    escaped = r"replace(replace({0}, '\', '\\'), '|', '\|')"
    query = r"CASE {0} WHEN 'None' THEN '\None' ELSE coalesce(" + escaped + ", 'None') END"
    return sql.SQL(query).format(text)


@cache
def form(stream: str, record: str, name: str) -> Form:
    """How the stream keeps events of the record in the table: fields by name, unless its app says otherwise."""
    facts, said = table(name), described(stream)
    known = {field["name"]: field for field in schema(record)["fields"]}
    fields, constants = [], []
    for column in facts.columns:
        field = said.fields.get((record, column)) or (column if column in known else None)
        fields.append(field)
        constants.append(None if field else said.constants.get((record, column)))
    ids = frozenset(field for field, attributes in known.items() if attributes.get("format") == "uuid")
    personal = frozenset(field for field, attributes in known.items() if attributes["classification"] == "personal")
    financial = (field for field, attributes in known.items() if attributes["classification"] == "financial")
    money = frozenset(field for field in financial if "long" in (known[field]["type"], *known[field]["type"]))
    return Form(record, facts, tuple(fields), tuple(constants), ids, personal, money)


@cache
def _flattened(stream: str, record: str) -> tuple[tuple[str, str, bool], ...]:
    """Fields of elements of a list that stand in columns of their own: list, field, and whether it may be null."""
    told = [field for (of, _), field in described(stream).fields.items() if of == record and "." in field]
    lists = {field["name"]: field["type"] for field in schema(record)["fields"]}
    nullable = {
        f"{name}.{inner['name']}"
        for name in {field.partition(".")[0] for field in told}
        for inner in lists[name]["items"]["fields"]
        if isinstance(inner["type"], list)
    }
    return tuple((name, inner, f"{name}.{inner}" in nullable) for name, _, inner in (f.partition(".") for f in told))


def flatten(stream: str, record: str, events: Sequence[Event]) -> None:
    """Give the events what their tables have of the elements of a list: one text (JSON) for each field of these.

    A field that may be null is null where no element has a value; a writer that is older leaves it out.
    """
    for name, field, may_be_null in _flattened(stream, record):
        for event in events:
            values = [element.get(field) for element in event[name]]
            is_null = may_be_null and all(value is None for value in values)
            event[f"{name}.{field}"] = None if is_null else json.dumps(values, ensure_ascii=False)
