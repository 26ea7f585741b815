"""What a fact row must hold, by its event: which field stands in which column, and how both sides are summed up.

Both sides write a row as one text, column by column, and sum the CRC-32 of these texts; so two sums tell of thousands
of rows whether they are the same, and money is summed beside them for people.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any
from zlib import crc32

from django.apps import apps
from django.db import models
from psycopg import sql

from backoffice.contracts.definitions import schema

from .reading import Event

MONEY = frozenset(
    [
        "stake",
        "payout",
        "previous_payout",
        "potential_payout",
        "amount",
        "bonus_amount",
        "win",
        "jackpot_win",
        "bonus_stake",
        "bonus_win",
        "wagered",
    ]
)
_ORIGIN = frozenset({"stream", "record", "source_partition", "source_offset", "digest"})
_LEG_ARRAYS = {
    "legs": "legs.leg_no",
    "results": "legs.result",
    "void_factors": "legs.void_factor",
    "dead_heat_factors": "legs.dead_heat_factor",
}
# Columns that are not named like their field.
_FIELDS = {
    ("BetPlaced", "id"): "bet_id",
    ("RoundCompleted", "id"): "round_id",
    ("BetVoided", "payout"): "refund",
} | {(record, column): field for record in ("BetSettled", "BetResettled") for column, field in _LEG_ARRAYS.items()}
# Columns that hold a value where the record has no such field; any other column is null then.
_CONSTANTS = {("BetSettled", "previous_payout"): 0, ("BetCashedOut", "previous_payout"): 0}


@dataclass(frozen=True)
class Sums:
    """Of some rows or events: how many, their money by column, and the sum of their checksums."""

    count: int
    money: dict[str, int]
    checksum: int

    def shown(self) -> dict[str, int]:
        return {"count": self.count} | self.money


NOTHING = Sums(0, {}, 0)


@dataclass(frozen=True)
class Table:
    """A fact table: its columns, and the SQL text of each, written as Python writes the event's value."""

    name: str
    columns: tuple[str, ...]
    texts: tuple[sql.Composable, ...]
    has_record: bool

    @property
    def money(self) -> tuple[str, ...]:
        return tuple(column for column in self.columns if column in MONEY)

    def checksum(self) -> sql.Composable:
        return checksum(self.texts)


@dataclass(frozen=True)
class Form:
    """How an event of one record type stands in its fact table. Constants take the place of fields it does not have."""

    record: str
    table: Table
    fields: tuple[str | None, ...]
    constants: tuple[Any, ...]
    ids: frozenset[str]
    personal: frozenset[str]

    def sums(self, events: Sequence[Event]) -> Sums:
        template = "|".join("%s" if field else str(c) for field, c in zip(self.fields, self.constants, strict=True))
        values = itemgetter(*(field for field in self.fields if field))
        checks = sum([crc32((template % values(event)).encode()) for event in events])
        return Sums(len(events), {column: self._sum(column, events) for column in self.table.money}, checks)

    def values(self, event: Event) -> list[str]:
        """The text of each column; ids as Postgres writes them."""
        texts = []
        for field, constant in zip(self.fields, self.constants, strict=True):
            text = str(event[field] if field else constant)
            texts.append(text.lower() if field in self.ids and text != "None" else text)
        return texts

    def _sum(self, column: str, events: Sequence[Event]) -> int:
        field = self.fields[self.table.columns.index(column)]
        return sum(filter(None, map(itemgetter(field), events))) if field else 0


def checksum(texts: Iterable[sql.Composable]) -> sql.Composable:
    """The SQL of the CRC-32 of a row's text."""
    return sql.SQL("crc32(convert_to(concat_ws('|', {}), 'UTF8'))").format(sql.SQL(", ").join(texts))


@cache
def table(name: str) -> Table:
    model = next(model for model in apps.get_models() if model._meta.db_table == name)
    columns = [field for field in model._meta.concrete_fields if field.column not in _ORIGIN]
    names = {field.column for field in model._meta.concrete_fields}
    return Table(
        name,
        tuple(c.column or "" for c in columns),
        tuple(as_text(c, c.column or "") for c in columns),
        "record" in names,
    )


def as_text(field: "models.Field[Any, Any]", *column: str) -> sql.Composable:
    """A column as Python's ``str`` writes the event's value: None, True, numbers of microseconds or days."""
    written = {
        models.DateTimeField: "(extract(epoch FROM {}) * 1000000)::bigint::text",
        models.DateField: "({} - DATE '1970-01-01')::text",
        models.BooleanField: "initcap({}::text)",
    }
    template = written.get(
        type(field), "array_to_string({}, ',')" if field.get_internal_type() == "ArrayField" else "{}::text"
    )
    return sql.SQL("coalesce(" + template + ", 'None')").format(sql.Identifier(*column))


@cache
def form(record: str, name: str) -> Form:
    facts = table(name)
    known = {field["name"]: field for field in schema(record)["fields"]}
    fields, constants = [], []
    for column in facts.columns:
        field = _FIELDS.get((record, column)) or (column if column in known else None)
        fields.append(field)
        constants.append(None if field else _CONSTANTS.get((record, column)))
    ids = frozenset(field for field, attributes in known.items() if attributes.get("format") == "uuid")
    personal = frozenset(field for field, attributes in known.items() if attributes["classification"] == "personal")
    return Form(record, facts, tuple(fields), tuple(constants), ids, personal)


def flatten_legs(record: str, events: Sequence[Event]) -> None:
    """Give settlements their legs' results as the table has them: one text for each field of the legs."""
    if (record, "legs") not in _FIELDS:
        return
    for event in events:
        legs = event["legs"]
        for field in _LEG_ARRAYS.values():
            inner = field.removeprefix("legs.")
            event[field] = ",".join([str(leg[inner]) for leg in legs])
