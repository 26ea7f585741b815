"""Sums that are carried on from step to step, and held against their table where nothing more is to come.

A row of the table may be added to by several streams, each of which has a tally of its own: the row must be their sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from ..differences import LISTED
from .comparing import Differing, Stretch, as_object, asked, is_row, same_key, within
from .wants import Want, names


@dataclass(frozen=True)
class Late:
    """A table of what is still to be added to rows of the target, and the SQL of which of its rows that stands in."""

    table: sql.Composable
    is_late: sql.Composable


@dataclass(frozen=True)
class Tally:
    """Where the sums of ``want`` are carried on: ``table``, under ``name`` in its column ``column``.

    ``all_names`` are those whose tallies a row of the target is the sum of; with what came ``late`` for it.
    """

    want: Want
    table: str
    column: str
    name: str
    all_names: tuple[str, ...]
    late: Late | None = None

    def add(self, cursor: CursorWrapper, behind: Sequence[str]) -> None:
        """Carry the sums over to those of earlier steps; of a place that is ``behind`` they stay open."""
        want = self.want
        added = [sql.SQL("{0} = o.{0} + excluded.{0}").format(sql.Identifier(c)) for c in want.values]
        sums = [*added, sql.SQL("is_open = o.is_open OR excluded.is_open")]
        query = sql.SQL(
            "INSERT INTO {} AS o ({}, {}, is_open) SELECT {}, {}, {} FROM {} w"
            " ON CONFLICT ({}, {}) DO UPDATE SET {}"
        ).format(
            sql.Identifier(self.table), names(want.columns), sql.Identifier(self.column), names(want.columns),
            sql.Literal(self.name), _is_behind(want), sql.Identifier(want.temporary), names(want.key),
            sql.Identifier(self.column), sql.SQL(", ").join(sums),
        )  # fmt: skip
        cursor.execute(query, [list(behind)])

    def differing(self, cursor: CursorWrapper, inexact: Sequence[str]) -> Differing:
        """Rows of the target that are not the sum of the tallies, for the keys touched now, as far as none is open.

        Where a row's topic and partition are among ``inexact`` the log has lost messages: a row must only not fall
        short.
        """
        yield from self._differing_of(cursor, sql.Identifier(self.want.temporary), inexact)

    def differing_opened(self, cursor: CursorWrapper, inexact: Sequence[str], behind: Sequence[str]) -> Differing:
        """The same for what earlier steps left open in places that are no longer ``behind``; it is closed with that."""
        closed = sql.Identifier(f"closed_{self.want.name}")
        cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} w WHERE is_open AND {} = %s AND NOT {}"
            ).format(
                closed,
                names(self.want.key),
                sql.Identifier(self.table),
                sql.Identifier(self.column),
                _is_behind(self.want),
            ),
            [self.name, list(behind)],
        )
        if not cursor.rowcount:
            return
        cursor.execute(
            sql.SQL("UPDATE {} w SET is_open = false WHERE is_open AND {} = %s AND NOT {}").format(
                sql.Identifier(self.table), sql.Identifier(self.column), _is_behind(self.want)
            ),
            [self.name, list(behind)],
        )
        if self.want.is_held:
            yield from self._differing_of(cursor, closed, inexact)

    def _differing_of(self, cursor: CursorWrapper, keys: sql.Composable, inexact: Sequence[str]) -> Differing:
        want = self.want
        query = sql.SQL(
            "WITH w AS (SELECT {keys}, s.* FROM {touched} n CROSS JOIN LATERAL (SELECT {sums} FROM {tally} o"
            " WHERE {of} AND o.{column} = ANY(%s) HAVING NOT bool_or(o.is_open)) s)"
            " SELECT kafka, postgres, total FROM (SELECT to_jsonb(w) AS kafka, {shown} AS postgres,"
            "  count(*) OVER () AS total, row_number() OVER (PARTITION BY {topic}) AS place"
            "  FROM w LEFT JOIN LATERAL {target} ON true WHERE {differ}) r WHERE place <= %s"
        ).format(
            keys=names(want.key, "n"), touched=keys, sums=_sums(want, "o"), tally=sql.Identifier(self.table),
            of=same_key(want.key, "o", "n"), column=sql.Identifier(self.column), shown=as_object(want.columns),
            target=self._target(same_key(want.key)), differ=_sums_differ(want, _place(want)),
            topic=_topic(want),
        )  # fmt: skip
        yield from asked(cursor, query, [list(self.all_names), list(inexact), LISTED])

    def _target(self, condition: sql.Composable) -> sql.Composable:
        """Its rows of which the condition holds, as ``t``; where something came late, as if it had been added."""
        columns, target = names(self.want.columns), sql.Identifier(self.want.target)
        if self.late is None:
            query = sql.SQL("(SELECT {} FROM {} t WHERE {}) t")
            return query.format(columns, target, condition)
        query = sql.SQL(
            "(SELECT {key}, {sums} FROM (SELECT {columns} FROM {target} t WHERE {condition} AND NOT ({is_late})"
            "  UNION ALL SELECT {columns} FROM {late} t WHERE {condition}) o GROUP BY {key}) t"
        )
        return query.format(
            key=names(self.want.key), sums=_sums(self.want, "o"), columns=columns, target=target, condition=condition,
            is_late=self.late.is_late, late=self.late.table,
        )  # fmt: skip

    def _bounds(self, bounds: Sequence[str]) -> list[str]:
        """The parameters of a condition on the target."""
        return [*bounds] * (1 if self.late is None else 2)

    def differing_within(self, cursor: CursorWrapper, stretch: Stretch, inexact: Sequence[str]) -> Differing:
        """The same for all rows of both tables in a stretch: none may be too many."""
        want = self.want
        condition, bounds = within(want.target, want.key, stretch)
        query = sql.SQL(
            "SELECT kafka, postgres, total FROM (SELECT to_jsonb(w) - 'is_open' AS kafka, to_jsonb(t) AS postgres,"
            "  count(*) OVER () AS total, row_number() OVER (PARTITION BY {topic}) AS place FROM"
            " (SELECT {keys}, {sums}, bool_or(o.is_open) AS is_open FROM {tally} o"
            "  WHERE o.{column} = ANY(%s) AND {condition} GROUP BY {keys}) w"
            " FULL JOIN {target} ON {same}"
            " WHERE NOT coalesce(w.is_open, false) AND {differ}) r WHERE place <= %s"
        ).format(
            keys=names(want.key), sums=_sums(want, "o"), tally=sql.Identifier(self.table), condition=condition,
            column=sql.Identifier(self.column), target=self._target(condition),
            same=same_key(want.key), differ=_sums_differ(want, _place(want, "t")), topic=_topic(want, "t"),
        )  # fmt: skip
        bounds_of_both = [*bounds, *self._bounds(bounds)]
        yield from asked(cursor, query, [list(self.all_names), *bounds_of_both, list(inexact), LISTED])

    def sides(self, cursor: CursorWrapper, key: Sequence[str]) -> tuple[str | None, str | None]:
        """What the tallies and the table have of one row, as texts to be compared; a sum that is open is not told."""
        want = self.want
        query = sql.SQL(
            "SELECT (SELECT CASE WHEN bool_or(o.is_open) THEN 'open' ELSE ROW({sums})::text END FROM {tally} o"
            "  WHERE o.{column} = ANY(%s) AND {is_row} HAVING count(*) > 0),"
            " (SELECT ROW({values})::text FROM {target})"
        ).format(
            sums=sql.SQL(", ").join(_sum("o", column) for column in want.values),
            tally=sql.Identifier(self.table), column=sql.Identifier(self.column),
            is_row=is_row(want.target, want.key), values=names(want.values, "t"),
            target=self._target(is_row(want.target, want.key)),
        )  # fmt: skip
        cursor.execute(query, [list(self.all_names), *key, *self._bounds(key)])
        told, stored = cursor.fetchone()
        return told, stored


def _sums(want: Want, table: str) -> sql.Composable:
    one = sql.SQL("{} AS {}")
    return sql.SQL(", ").join(one.format(_sum(table, column), sql.Identifier(column)) for column in want.values)


def _sum(table: str, column: str) -> sql.Composable:
    return sql.SQL("sum({})::bigint").format(sql.Identifier(table, column))


def _sums_differ(want: Want, place: sql.Composable) -> sql.Composable:
    first = sql.Identifier(want.values[0])
    return sql.SQL(
        "CASE WHEN {place} = ANY(%s) THEN coalesce(t.{first}, 0) < coalesce(w.{first}, 0)"
        " ELSE ROW({w}) IS DISTINCT FROM ROW({t}) END"
    ).format(place=place, first=first, w=names(want.values, "w"), t=names(want.values, "t"))


def _is_behind(want: Want) -> sql.Composable:
    """The SQL of whether more of a row's place is to come; the places that are behind are its parameter."""
    return sql.SQL("{} = ANY(%s)").format(_place(want))


def _place(want: Want, *others: str) -> sql.Composable:
    """The SQL of a row's topic and partition, written like a position's place; from ``w`` or else the other tables."""
    return sql.SQL("({} || '/' || {})").format(_topic(want, *others), _column("partition", *others))


def _topic(want: Want, *others: str) -> sql.Composable:
    return _column("topic", *others) if "topic" in want.key else sql.Literal(want.topic)


def _column(name: str, *others: str) -> sql.Composable:
    found = sql.SQL(", ").join(sql.Identifier(table, name) for table in ("w", *others))
    return sql.SQL("coalesce({})").format(found)
