"""What Kafka says a table of results must hold: folded in Python, gathered in a temporary table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from django.apps import apps
from django.db import models
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.kernel.clock import EPOCH, at_microseconds

from ..messages.reading import NEVER, Gone

FOLDED = 50_000

Key = tuple[Any, ...]
Values = tuple[Any, ...]


@dataclass
class Want:
    """Rows of ``target`` that one kind of event sets, named apart by ``name``.

    With ``by`` the greatest wins and ``values`` go with it; with ``adding``, ``values`` are two numbers that are added
    up; with neither every row says the same. ``topic`` is that of all its rows where their key has none. ``target`` is
    a table that has these columns; with ``is_held`` its rows must be those.
    """

    name: str
    target: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    by: tuple[str, ...] = ()
    adding: bool = False
    topic: str = ""
    is_held: bool = True
    rows: dict[Key, Values] = field(default_factory=dict)
    is_made: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.key, *self.by, *self.values)

    @property
    def temporary(self) -> str:
        return f"want_{self.name}"

    def newest(self, key: Key, row: Values) -> None:
        """``row`` begins with the columns of ``by``."""
        known = self.rows.get(key)
        if known is None or row[: len(self.by)] > known[: len(self.by)]:
            self.rows[key] = row

    def add(self, key: Key, first: int, second: int) -> None:
        known = self.rows.get(key)
        self.rows[key] = (first, second) if known is None else (known[0] + first, known[1] + second)

    def forget(self, cursor: CursorWrapper, gone: Gone) -> None:
        """Drop the rows that have one of these in the first column of their key and stand before it in the log.

        Where a row stands is what ``by`` ends with.
        """
        end = len(self.by)
        for key, row in list(self.rows.items()):
            if row[end - 2 : end] <= gone.get(key[0], NEVER):
                del self.rows[key]
        if self.is_made:
            query = sql.SQL(
                "DELETE FROM {} w USING unnest(%s::text[], %s::timestamptz[], %s::bigint[]) AS gone (key, at, place)"
                " WHERE {} = gone.key AND ({}) <= (gone.at, gone.place)"
            ).format(
                sql.Identifier(self.temporary), sql.Identifier("w", self.key[0]), names(self.by[-2:], "w")
            )  # fmt: skip
            cursor.execute(query, as_columns(gone))

    def flush(self, cursor: CursorWrapper, *, at_least: int = 1) -> None:
        """Bring what is folded so far into the temporary table."""
        if len(self.rows) < at_least:
            return
        if not self.is_made:
            self.make(cursor)
        convert = [converter(self.target, column) for column in self.columns]
        stage = sql.Identifier(f"stage_{self.name}")
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(stage, names(self.columns))) as copy:
            for key, row in self.rows.items():
                copy.write_row(
                    [to(v) if to and v is not None else v for to, v in zip(convert, (*key, *row), strict=True)]
                )
        cursor.execute(self._merge(stage))
        cursor.execute(sql.SQL("DELETE FROM {}").format(stage))
        self.rows = {}

    def make(self, cursor: CursorWrapper) -> None:
        for name in (self.temporary, f"stage_{self.name}"):
            query = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
            cursor.execute(query.format(sql.Identifier(name), names(self.columns), sql.Identifier(self.target)))
        unique = sql.SQL("ALTER TABLE {} ADD UNIQUE ({})")
        cursor.execute(unique.format(sql.Identifier(self.temporary), names(self.key)))
        self.is_made = True

    def _merge(self, stage: sql.Composable) -> sql.Composable:
        if self.by:
            sets = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(c)) for c in (*self.by, *self.values)]
            where: sql.Composable = sql.SQL(" WHERE ({}) > ({})").format(
                names(self.by, "excluded"), names(self.by, "w")
            )
        else:
            kept = "{0} = w.{0} + excluded.{0}" if self.adding else "{0} = w.{0}"
            sets = [sql.SQL(kept).format(sql.Identifier(c)) for c in self.values]
            where = sql.SQL("")
        return sql.SQL("INSERT INTO {} AS w ({}) SELECT {} FROM {} ON CONFLICT ({}) DO UPDATE SET {}").format(
            sql.Identifier(self.temporary), names(self.columns), names(self.columns), stage, names(self.key),
            sql.SQL(", ").join(sets),
        ) + where  # fmt: skip


@cache
def field_of(table: str, column: str) -> "models.Field[Any, Any]":
    model = next(model for model in apps.get_models() if model._meta.db_table == table)
    return next(field for field in model._meta.concrete_fields if field.column == column)


@cache
def converter(table: str, column: str) -> Any:
    kind = type(field_of(table, column))
    if kind is models.DateTimeField:
        return at_microseconds
    if kind is models.DateField:
        return lambda days: (EPOCH + timedelta(days=days)).date()
    return None


def names(columns: Sequence[str], table: str = "") -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(table, c) if table else sql.Identifier(c) for c in columns)


def as_columns(gone: Gone) -> list[list[Any]]:
    """Keys, times and offsets of what is gone, as parameters."""
    return [list(gone), [at_microseconds(at) for at, _ in gone.values()], [o for _, o in gone.values()]]
