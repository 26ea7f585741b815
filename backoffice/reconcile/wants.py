"""What Kafka says a table of results must hold: folded in Python, gathered in a temporary table, compared by a join."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import models
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from .differences import LISTED, Difference

FOLDED = 50_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[Any, ...]
Values = tuple[Any, ...]


@dataclass
class Want:
    """Rows of ``target`` that one kind of event sets, named apart by ``name``.

    With ``by`` the greatest wins and ``values`` go with it; with ``adding``, ``values`` are two numbers that are added
    up; with neither every row says the same. ``topic`` is that of all its rows where their key has none.
    """

    name: str
    target: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    by: tuple[str, ...] = ()
    adding: bool = False
    topic: str = ""
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

    def flush(self, cursor: CursorWrapper, *, at_least: int = 1) -> None:
        """Bring what is folded so far into the temporary table."""
        if len(self.rows) < at_least:
            return
        if not self.is_made:
            self._make(cursor)
        convert = [_converter(self.target, column) for column in self.columns]
        stage = sql.Identifier(f"stage_{self.name}")
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(stage, _names(self.columns))) as copy:
            for key, row in self.rows.items():
                copy.write_row(
                    [to(v) if to and v is not None else v for to, v in zip(convert, (*key, *row), strict=True)]
                )
        cursor.execute(self._merge(stage))
        cursor.execute(sql.SQL("DELETE FROM {}").format(stage))
        self.rows = {}

    def _make(self, cursor: CursorWrapper) -> None:
        for name in (self.temporary, f"stage_{self.name}"):
            query = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
            cursor.execute(query.format(sql.Identifier(name), _names(self.columns), sql.Identifier(self.target)))
        unique = sql.SQL("ALTER TABLE {} ADD UNIQUE ({})")
        cursor.execute(unique.format(sql.Identifier(self.temporary), _names(self.key)))
        self.is_made = True

    def _merge(self, stage: sql.Composable) -> sql.Composable:
        if self.by:
            sets = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(c)) for c in (*self.by, *self.values)]
            where: sql.Composable = sql.SQL(" WHERE ({}) > ({})").format(
                _names(self.by, "excluded"), _names(self.by, "w")
            )
        else:
            kept = "{0} = w.{0} + excluded.{0}" if self.adding else "{0} = w.{0}"
            sets = [sql.SQL(kept).format(sql.Identifier(c)) for c in self.values]
            where = sql.SQL("")
        return sql.SQL("INSERT INTO {} AS w ({}) SELECT {} FROM {} ON CONFLICT ({}) DO UPDATE SET {}").format(
            sql.Identifier(self.temporary), _names(self.columns), _names(self.columns), stage, _names(self.key),
            sql.SQL(", ").join(sets),
        ) + where  # fmt: skip


def differing(cursor: CursorWrapper, want: Want, *, full: bool) -> Iterator[tuple[dict[str, Any], dict[str, Any], int]]:
    """Rows of ``target`` that are not the newest that Kafka has told: what it says, what stands there, how many in all.

    Without ``full`` a row may be newer than all that was read now; it then comes from another range of offsets.
    """
    conditions = ["t.{first} IS NULL"]
    if want.by:
        conditions += ["ROW({by_w}) > ROW({by_t})"] + (["ROW({by_t}) > ROW({by_w})"] if full else [])
    if want.values:
        same = "ROW({by_w}) = ROW({by_t}) AND " if want.by else ""
        conditions.append(f"({same}ROW({{w}}) IS DISTINCT FROM ROW({{t}}))")
    query = sql.SQL(
        "SELECT to_jsonb(w), {shown}, count(*) OVER () FROM {want} w LEFT JOIN {target} t ON {same} WHERE "  # noqa: S608 - of literals of this module
        + " OR ".join(conditions)
        + " LIMIT %s"
    ).format(
        shown=_as_object(want.columns), want=sql.Identifier(want.temporary), target=sql.Identifier(want.target),
        same=_same(want.key), first=sql.Identifier((*want.by, *want.key)[0]),
        by_w=_names(want.by, "w"), by_t=_names(want.by, "t"), w=_names(want.values, "w"), t=_names(want.values, "t"),
    )  # fmt: skip
    yield from _asked(cursor, query, [LISTED])


def add_to_tally(cursor: CursorWrapper, want: Want, tally: str, behind: Sequence[str]) -> None:
    """Carry the sums over to those of earlier steps. Where a place is ``behind`` they stay open: more is to come."""
    added = [sql.SQL("{0} = o.{0} + excluded.{0}").format(sql.Identifier(c)) for c in want.values]
    sums = [*added, sql.SQL("is_open = o.is_open OR excluded.is_open")]
    names = _names(want.columns)
    query = sql.SQL(
        "INSERT INTO {} AS o ({}, is_open) SELECT {}, {} = ANY(%s) FROM {} w ON CONFLICT ({}) DO UPDATE SET {}"
    ).format(
        sql.Identifier(tally), names, names, _place(want), sql.Identifier(want.temporary), _names(want.key),
        sql.SQL(", ").join(sums),
    )  # fmt: skip
    cursor.execute(query, [list(behind)])


def differing_sums(
    cursor: CursorWrapper, want: Want, tally: str, inexact: Sequence[str]
) -> Iterator[tuple[dict[str, Any], dict[str, Any], int]]:
    """Rows of ``target`` whose sums are not those of ``tally``, for the keys touched now, as far as they are not open.

    Where a row's topic and partition are among ``inexact`` the log has lost messages: a row must only not fall short.
    """
    touched = sql.SQL("SELECT w.* FROM {} JOIN {} w USING ({}) WHERE NOT w.is_open").format(
        sql.Identifier(want.temporary), sql.Identifier(tally), _names(want.key)
    )
    yield from _asked(cursor, _beside_target(want, touched), [list(inexact), LISTED])


def differing_opened(
    cursor: CursorWrapper, want: Want, tally: str, inexact: Sequence[str], behind: Sequence[str]
) -> Iterator[tuple[dict[str, Any], dict[str, Any], int]]:
    """The same for what earlier steps left open in places that are no longer ``behind``; it is closed with that."""
    closed = sql.SQL("UPDATE {} w SET is_open = false WHERE is_open AND NOT {} = ANY(%s) RETURNING *").format(
        sql.Identifier(tally), _place(want)
    )
    yield from _asked(cursor, _beside_target(want, closed), [list(behind), list(inexact), LISTED])


def _beside_target(want: Want, tallies: sql.Composable) -> sql.Composable:
    return sql.SQL(
        "WITH w AS ({}) SELECT to_jsonb(w) - 'is_open', {}, count(*) OVER () FROM w LEFT JOIN {} t ON {}"
        " WHERE {} LIMIT %s"
    ).format(
        tallies,
        _as_object(want.columns),
        sql.Identifier(want.target),
        _same(want.key),
        _sums_differ(want, _place(want)),
    )


def differing_everywhere(
    cursor: CursorWrapper, want: Want, tally: str, inexact: Sequence[str],
    between: tuple[str, Any, Any] | None = None,
) -> Iterator[tuple[dict[str, Any], dict[str, Any], int]]:  # fmt: skip
    """The same for all rows of both tables, or for those with ``between[0]`` in a stretch: none may be too many."""
    part = sql.SQL("(SELECT {} FROM {}{})")
    where = sql.SQL(" WHERE {} BETWEEN %s AND %s").format(sql.Identifier(between[0])) if between else sql.SQL("")
    sides = [part.format(_names(want.columns), sql.Identifier(name), where) for name in (tally, want.target)]
    query = sql.SQL(
        "SELECT to_jsonb(w), to_jsonb(t), count(*) OVER () FROM {} w FULL JOIN {} t ON {} WHERE {} LIMIT %s"
    ).format(*sides, _same(want.key), _sums_differ(want, _place(want, "t")))
    parameters = [*(between[1:] * 2 if between else ()), list(inexact), LISTED]
    yield from _asked(cursor, query, parameters)


def _sums_differ(want: Want, place: sql.Composable) -> sql.Composable:
    first = sql.Identifier(want.values[0])
    return sql.SQL(
        "CASE WHEN {place} = ANY(%s) THEN coalesce(t.{first}, 0) < coalesce(w.{first}, 0)"
        " ELSE ROW({w}) IS DISTINCT FROM ROW({t}) END"
    ).format(place=place, first=first, w=_names(want.values, "w"), t=_names(want.values, "t"))


def _place(want: Want, *others: str) -> sql.Composable:
    """The SQL of a row's topic and partition, written like a position's place; from ``w`` or else the other tables."""

    def column(name: str) -> sql.Composable:
        found = sql.SQL(", ").join(sql.Identifier(table, name) for table in ("w", *others))
        return sql.SQL("coalesce({})").format(found)

    topic = column("topic") if "topic" in want.key else sql.Literal(want.topic)
    return sql.SQL("({} || '/' || {})").format(topic, column("partition"))


def _asked(
    cursor: CursorWrapper, query: sql.Composable, parameters: list[Any]
) -> Iterator[tuple[dict[str, Any], dict[str, Any], int]]:
    cursor.execute(query, parameters)
    # Django leaves jsonb as text.
    yield from [(_row(kafka), _row(postgres), int(total)) for kafka, postgres, total in cursor.fetchall()]


def _row(text: str | None) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(text) if text else {}
    return row


def shown(check: str, says: str, want: Want, kafka: dict[str, Any] | None, postgres: dict[str, Any] | None,
          hidden: frozenset[str] = frozenset(), topic: str = "") -> Difference:  # fmt: skip
    """The difference between two rows: their key, and the columns in which they are not the same."""
    either = kafka or postgres or {}
    columns = [c for c in (*want.by, *want.values) if (kafka or {}).get(c) != (postgres or {}).get(c)]

    def side(row: dict[str, Any] | None) -> dict[str, Any] | None:
        if row is None or row.get((*want.by, *want.values)[0]) is None:
            return None
        return {c: "personal, not shown" if c in hidden else row.get(c) for c in columns}

    where = ", ".join(f"{column}={either.get(column)}" for column in want.key)
    told = f"{want.target}: {says}"
    place = either.get("partition")
    return Difference(check, told, either.get("topic") or topic, place, "", None, where, side(kafka), side(postgres))


def _converter(table: str, column: str) -> Any:
    model = next(model for model in apps.get_models() if model._meta.db_table == table)
    kind = type(model._meta.get_field(column))
    if kind is models.DateTimeField:
        return lambda micros: _EPOCH + timedelta(microseconds=micros)
    if kind is models.DateField:
        return lambda days: (_EPOCH + timedelta(days=days)).date()
    return None


def _as_object(columns: Sequence[str]) -> sql.Composable:
    parts = [sql.SQL("{}, t.{}").format(sql.Literal(column), sql.Identifier(column)) for column in columns]
    return sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(parts))


def _same(key: Sequence[str]) -> sql.Composable:
    return sql.SQL(" AND ").join(sql.SQL("w.{0} = t.{0}").format(sql.Identifier(column)) for column in key)


def _names(columns: Sequence[str], table: str = "") -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(table, c) if table else sql.Identifier(c) for c in columns)
