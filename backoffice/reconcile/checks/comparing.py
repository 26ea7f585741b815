"""What is wanted of a table beside what stands there: joins that name the rows in which the two differ."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from ..differences import LISTED, Difference
from .wants import Want, field_of, names

Row = dict[str, Any]
# What Kafka says, what stands there, and how many differ in all.
Differing = Iterator[tuple[Row, Row, int]]


@dataclass(frozen=True)
class Stretch:
    """The rows whose key comes after ``after`` and not after ``last``, each as texts; None is no bound."""

    after: tuple[str, ...] | None
    last: tuple[str, ...] | None


def differing(
    cursor: CursorWrapper, want: Want, known: sql.Composable | None = None, also: sql.Composable | None = None
) -> Differing:
    """Rows of ``target`` that are not the newest that Kafka has told.

    A row may be newer than all that was read now; it then comes from another range of offsets. With ``known`` (a
    condition on ``w``) a row that is missing is only told where that holds. A row of which ``also`` (a condition on
    ``w`` and ``t``) holds differs, too.
    """
    conditions = ["t.{first} IS NULL" if known is None else "(t.{first} IS NULL AND {known})"]
    if want.by:
        conditions.append("ROW({by_w}) > ROW({by_t})")
    if want.values:
        same = "ROW({by_w}) = ROW({by_t}) AND " if want.by else ""
        is_there = "t.{first} IS NOT NULL AND " if known is not None else ""
        conditions.append(f"({is_there}{same}ROW({{w}}) IS DISTINCT FROM ROW({{t}}))")
    conditions.append("{also}")
    text = (
        "SELECT to_jsonb(w), {shown}, count(*) OVER () FROM {want} w LEFT JOIN {target} t ON {same}"  # noqa: S608 - of literals of this module
        " WHERE " + " OR ".join(conditions) + " LIMIT %s"
    )
    query = sql.SQL(text).format(
        shown=as_object(want.columns), want=sql.Identifier(want.temporary), target=sql.Identifier(want.target),
        same=same_key(want.key), first=sql.Identifier((*want.by, *want.key)[0]), known=known or sql.SQL(""),
        also=also or sql.SQL("false"),
        by_w=names(want.by, "w"), by_t=names(want.by, "t"), w=names(want.values, "w"), t=names(want.values, "t"),
    )  # fmt: skip
    yield from asked(cursor, query, [LISTED])


def within(table: str, key: Sequence[str], stretch: Stretch) -> tuple[sql.Composable, list[str]]:
    """The condition, and its parameters, for the rows of a stretch of the table."""
    conditions: list[sql.Composable] = []
    parameters: list[str] = []
    for sign, bound in ((">", stretch.after), ("<=", stretch.last)):
        if bound is not None:
            casts = sql.SQL(", ").join(sql.SQL(f"%s::{_type(table, column)}") for column in key)
            conditions.append(sql.SQL(f"({{}}) {sign} ({{}})").format(names(key), casts))
            parameters += bound
    return sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true"), parameters


def is_row(table: str, key: Sequence[str]) -> sql.Composable:
    """The condition for the one row of a key, whose columns as texts are its parameters."""
    one = "{} = %s::{}"
    parts = [sql.SQL(one).format(sql.Identifier(column), sql.SQL(_type(table, column))) for column in key]
    return sql.SQL(" AND ").join(parts)


def key_after(
    cursor: CursorWrapper, table: str, key: Sequence[str], after: tuple[str, ...] | None, rows: int
) -> tuple[str, ...] | None:
    """The key of the row that comes ``rows`` rows later, or None where the table ends before."""
    condition, parameters = within(table, key, Stretch(after, None))
    columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in key)
    query = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {} OFFSET %s LIMIT 1").format(
        columns, sql.Identifier(table), condition, names(key)
    )
    cursor.execute(query, [*parameters, rows - 1])
    found = cursor.fetchone()
    return None if found is None else tuple(found)


def _type(table: str, column: str) -> str:
    return str(field_of(table, column).db_type(connection))


def asked(cursor: CursorWrapper, query: sql.Composable, parameters: list[Any]) -> Differing:
    cursor.execute(query, parameters)
    # Django leaves jsonb as text.
    yield from [(_row(kafka), _row(postgres), int(total)) for kafka, postgres, total in cursor.fetchall()]


def _row(text: str | None) -> Row:
    row: Row = json.loads(text) if text else {}
    return row


def shown(check: str, says: str, want: Want, kafka: Row | None, postgres: Row | None,
          hidden: frozenset[str] = frozenset(), topic: str = "") -> Difference:  # fmt: skip
    """The difference between two rows: their key, and the columns in which they are not the same."""
    either = kafka or postgres or {}
    columns = [c for c in (*want.by, *want.values) if (kafka or {}).get(c) != (postgres or {}).get(c)]

    def side(row: Row | None) -> Row | None:
        if row is None or all(row.get(c) is None for c in (*want.by, *want.values)):
            return None
        return {c: "personal, not shown" if c in hidden else row.get(c) for c in columns}

    key = tuple(str(either.get(column)) for column in want.key)
    where = ", ".join(f"{column}={_quoted(value)}" for column, value in zip(want.key, key, strict=True))
    told = f"{want.target}: {says}"
    place = either.get("partition")
    return Difference(
        check, told, either.get("topic") or topic, place, "", None, where, side(kafka), side(postgres),
        table=want.target, key=key,
    )  # fmt: skip


def _quoted(text: str) -> str:
    """As it is, and as JSON where its letters could be taken for the next column: no two keys read alike."""
    return json.dumps(text, ensure_ascii=False) if any(letter in text for letter in ',="') else text


def as_object(columns: Sequence[str]) -> sql.Composable:
    parts = [sql.SQL("{}, t.{}").format(sql.Literal(column), sql.Identifier(column)) for column in columns]
    return sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(parts))


def same_key(key: Sequence[str], left: str = "w", right: str = "t") -> sql.Composable:
    pair = sql.SQL("{} = {}")
    return sql.SQL(" AND ").join(pair.format(sql.Identifier(left, c), sql.Identifier(right, c)) for c in key)
