"""Which event made a row of state what it is: the newest one, whatever order they came in.

Beside what the events of a step say, the newest version of each row is kept in the books. So a row that no event made,
or that claims a version which no event has, is found as well.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from django.db import models
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.contracts.definitions import schema

from ..declared import State
from ..differences import LISTED, Difference, Standing
from ..findings import Findings
from ..messages.reading import NEVER, Event, Events, Gone
from .comparing import Differing, Stretch, asked, differing, is_row, shown, within
from .wants import FOLDED, Want, as_columns, field_of, names

STALE = "the row is not as the newest event says."
UNTOLD = "no event made this row, or none made it what it claims to be."
DELETED = "a tombstone deleted this row, and it is still there."
_MINUTE = 60_000_000  # microseconds


class StateCheck:
    """Folds events to the newest of each row, and compares that with the table at the end.

    With ``is_new`` the books are carried on by what is folded; else the events were read before. With ``may_be_later``
    events, and what the books have, may have been logged later than is known, and rows say so.
    """

    def __init__(
        self, state: State, stream: str, topic: str, tally: str, *, is_new: bool, may_be_later: bool = False
    ) -> None:
        self.state, self.topic, self.may_be_later = state, topic, may_be_later
        self._stream = stream
        constant = tuple(dict.fromkeys(column for _, column, _ in state.constants))
        self._also = (topic,) if state.with_topic else ()
        key = (*state.key, *("topic" for _ in self._also))
        name = f"{stream}_{state.name}_{topic.replace('-', '_')}"
        self.want = Want(name, state.table, key, (*state.columns, *constant), state.by)
        self._tally, self._is_new = sql.Identifier(tally), is_new
        self._gone: Gone = {}

    def take(self, cursor: CursorWrapper, record: str, events: Events) -> None:
        """What a tombstone stands after makes no row, in whatever order and from whichever partitions they are read."""
        if record not in self.state.records:
            return
        constants = tuple(value for r, _, value in self.state.constants if r == record)
        known = {field["name"]: field for field in schema(record)["fields"]}
        keys, columns = tuple(self.state.key.values()), tuple(self.state.columns.values())
        ids = [known.get(key, {}).get("format") == "uuid" for key in keys]
        also, newest, of_parts = self._also, self.want.newest, bool(self.state.each)
        version = _version(self.state, record)
        gone = self._known_to_be_gone(cursor, {event[keys[0]] for event in events.bodies})
        for event in events.bodies:
            if gone and (event["logged_at"], event["logged_offset"]) <= gone.get(event[keys[0]], NEVER):
                continue
            by = version(event)
            for part in self._parts(event, keys) if of_parts else (event,):
                key = [part[k].lower() if is_id else part[k] for k, is_id in zip(keys, ids, strict=True)]
                newest((*key, *also), (*by, *map(part.get, columns), *constants))

    def forget(self, cursor: CursorWrapper, gone: Gone) -> None:
        """What stands before these tombstones is deleted; call it before what follows is taken."""
        if self.state.forgets and gone:
            self.want.forget(cursor, gone)
            self._gone |= {key: max(place, self._gone.get(key, NEVER)) for key, place in gone.items()}

    def _known_to_be_gone(self, cursor: CursorWrapper, keys: set[str]) -> Gone:
        """Those of the keys that are deleted, by this step or by the books."""
        if not self.state.forgets:
            return {}
        query = sql.SQL("SELECT key, version FROM {} WHERE state = %s AND key = ANY(%s)").format(self._tally)
        cursor.execute(query, [self._deletions, sorted(keys)])
        known: Gone = {key: tuple(json.loads(place)) for key, place in cursor.fetchall()}
        return known | {k: max(place, known.get(k, NEVER)) for k, place in self._gone.items() if k in keys}

    @property
    def _deletions(self) -> str:
        """Under which name the books have the keys that are gone."""
        return f"{self.want.name} deleted"

    def _parts(self, event: Event, keys: tuple[str, ...]) -> list[Event]:
        shared = {key: event[key] for key in (*keys, "at") if key in event}
        return [shared | element for element in event[self.state.each]]

    def flush(self, cursor: CursorWrapper) -> None:
        self.want.flush(cursor, at_least=FOLDED)

    def finish(self, cursor: CursorWrapper, findings: Findings) -> Iterator[Difference]:
        self.want.flush(cursor)
        if self._is_new:
            self._carry_on(cursor)
        if self.want.is_made:
            yield from self._told(
                differing(cursor, self.want, self._still_known(), self._also_differs()), STALE, findings
            )
        if self._gone:
            yield from self._told(self._undeleted(cursor), DELETED, findings)

    def _carry_on(self, cursor: CursorWrapper) -> None:
        for key, place in sorted(self._gone.items()):
            query = sql.SQL(
                "DELETE FROM {} WHERE state = %s AND key = %s"
                " AND ((version ->> -2)::bigint, (version ->> -1)::bigint) <= (%s, %s)"
            )
            cursor.execute(query.format(self._tally), [self.want.name, key, *place])
            note = sql.SQL(
                "INSERT INTO {} AS o (state, key, rest, version) VALUES (%s, %s, '{{}}', %s::jsonb)"
                " ON CONFLICT (state, key, rest) DO UPDATE SET version = excluded.version"
                " WHERE excluded.version > o.version"
            )
            cursor.execute(note.format(self._tally), [self._deletions, key, json.dumps(place)])
        if self.want.is_made:
            merge = sql.SQL(
                "INSERT INTO {} AS o (state, key, rest, version) SELECT %s, {}, {}, {} FROM {} t"
                " ON CONFLICT (state, key, rest) DO UPDATE SET version = excluded.version"
                " WHERE excluded.version > o.version"
            ).format(self._tally, *self._key(), self._told_version(), sql.Identifier(self.want.temporary))
            cursor.execute(merge, [self.want.name])

    def _still_known(self) -> sql.Composable | None:
        """Where tombstones delete, what is read may have been deleted by one that comes later; where rows are kept for
        a while, what stands in the log for longer may be purged."""
        if self.state.kept is not None:
            logged_at, kept = sql.Identifier("w", self.want.by[-2]), sql.Literal(self.state.kept())
            return sql.SQL("{} > clock_timestamp() - {}").format(logged_at, kept)
        if not self.state.forgets:
            return None
        query = sql.SQL("EXISTS (SELECT 1 FROM {} k WHERE k.state = {} AND {})")
        return query.format(self._tally, sql.Literal(self.want.name), self._is_key_of("w"))

    def _also_differs(self) -> sql.Composable | None:
        """Of rows that are later than is known of the message at their place: whether they say something else than it,
        beside their times."""
        told = [column for column in self.want.values if self.state.columns.get(column) != "at"]
        if not (self.may_be_later and self.want.by and told) or self.state.to_minute:
            return None
        *rank, at, offset = self.want.by
        place, query = [*rank, offset], "(ROW({}) = ROW({}) AND {} < {} AND ROW({}) IS DISTINCT FROM ROW({}))"
        sides = [names(columns, table) for columns in (place, [at], told) for table in ("w", "t")]
        return sql.SQL(query).format(*sides)

    def _undeleted(self, cursor: CursorWrapper) -> Differing:
        query = sql.SQL(
            "SELECT NULL, to_jsonb(t), count(*) OVER () FROM {} t"
            " JOIN unnest(%s::text[], %s::timestamptz[], %s::bigint[]) AS gone (key, at, place)"
            " ON {} = gone.key AND ({}) <= (gone.at, gone.place)"
            " WHERE NOT EXISTS (SELECT 1 FROM {} k WHERE k.state = %s AND {}) LIMIT %s"
        ).format(
            sql.Identifier(self.want.target), sql.Identifier("t", self.want.key[0]), names(self.want.by[-2:], "t"),
            self._tally, self._is_key_of("t"),
        )  # fmt: skip
        yield from asked(cursor, query, [*as_columns(self._gone), self.want.name, LISTED])

    def untold(
        self,
        cursor: CursorWrapper,
        stretch: Stretch,
        findings: Findings,
        *,
        others: tuple[str, ...],
        is_whole: bool,
        is_cut: bool = False,
    ) -> Iterator[Difference]:
        """Rows of a stretch of the table whose version is not that of the books.

        ``others`` are the columns by which other states of the table are versioned: a row without any was made by
        nobody. A row without this one's version has nothing of it. Unless the books are ``is_whole``, they know nothing
        of rows whose messages are gone; where the log ``is_cut`` off, or has lost what told of its time, rows may be
        newer than all that is left.
        """
        condition, bounds = within(self.want.target, self.want.key, stretch)
        of_nobody = sql.SQL("num_nonnulls({}) = 0").format(names(others, "t")) if others else sql.SQL("false")
        missing = sql.SQL("k.key IS NULL") if is_whole else sql.SQL("false")
        mine = sql.SQL("t.topic = {}").format(sql.Literal(self.topic)) if self._also else sql.SQL("true")
        has_version = sql.SQL("{} IS NOT NULL").format(sql.Identifier("t", (*self.want.by, *self.want.key)[0]))
        query = sql.SQL(
            "SELECT NULL, to_jsonb(t), count(*) OVER () FROM (SELECT * FROM {target} WHERE {condition}) t"
            " LEFT JOIN {tally} k ON k.state = %s AND {is_key}"
            " WHERE {mine} AND ({of_nobody} OR CASE WHEN {has_version} THEN {missing} OR k.version {differs} {version}"
            "  ELSE num_nonnulls({own}) > 0 END) LIMIT %s"
        ).format(
            target=sql.Identifier(self.want.target), condition=condition, tally=self._tally,
            is_key=self._is_key_of("t"), of_nobody=of_nobody, has_version=has_version, missing=missing, mine=mine,
            version=self._told_version(), differs=sql.SQL(">" if is_cut else "<>"),
            own=names((*self.want.by, *self.want.values) or self.want.key, "t"),
        )  # fmt: skip
        yield from self._told(asked(cursor, query, [*bounds, self.want.name, LISTED]), UNTOLD, findings)

    def about(self, standing: Iterable[Standing]) -> Iterator[Standing]:
        """Those of the open findings that are about what this state sets of a row that is known by its key."""
        for found in standing:
            if found.get("state") == self.want.name and found["key"]:
                yield found

    def agreeing(self, cursor: CursorWrapper, standing: Iterable[Standing]) -> Iterator[Standing]:
        """Those whose row is, version and values, what the newest message says that was folded; after `finish`."""
        if not self.want.is_made:
            return
        want = self.want
        row = is_row(want.target, want.key)
        query = sql.SQL(
            "SELECT 1 FROM (SELECT * FROM {want} WHERE {row}) w, (SELECT * FROM {target} WHERE {row}) t"
            " WHERE ROW({w}) IS NOT DISTINCT FROM ROW({t})"
        ).format(
            want=sql.Identifier(want.temporary), target=sql.Identifier(want.target), row=row,
            w=names(want.columns, "w"), t=names(want.columns, "t"),
        )  # fmt: skip
        for found in self.about(standing):
            cursor.execute(query, [*found["key"], *found["key"]])
            if cursor.fetchone():
                yield found

    def known(self, cursor: CursorWrapper, key: Sequence[str]) -> tuple[list[Any] | None, bool, bool]:
        """Of one row the version that the books have of it; whether it stands, with a version; and a newer one."""
        first, *rest = key
        query = sql.SQL(
            "SELECT k.version, t.has_version, coalesce({version} > k.version, false)"
            " FROM (SELECT %s::text COLLATE \"C\" AS key, %s::text[] AS rest) n"
            " LEFT JOIN {tally} k ON k.state = %s AND k.key = n.key AND k.rest = n.rest"
            " LEFT JOIN (SELECT *, {by} IS NOT NULL AS has_version FROM {target} WHERE {is_row}) t ON true"
        ).format(
            version=self._told_version(), tally=self._tally, by=sql.Identifier((*self.want.by, *self.want.key)[0]),
            target=sql.Identifier(self.want.target), is_row=is_row(self.want.target, self.want.key),
        )  # fmt: skip
        cursor.execute(query, [first, rest, self.want.name, *key])
        version, is_there, is_newer = cursor.fetchone()
        # Django leaves jsonb as text.
        return json.loads(version) if version else None, bool(is_there), bool(is_newer)

    def _told(self, rows: Differing, says: str, findings: Findings) -> Iterator[Difference]:
        listed, total = 0, 0
        personal = (f["name"] for f in schema(self.state.records[0])["fields"] if f["classification"] == "personal")
        hidden = frozenset(personal)
        for kafka, postgres, total in rows:  # noqa: B007 - the last one is used
            listed += 1
            found = shown("state", says, self.want, kafka, postgres, hidden, self.topic)
            yield replace(found, state=self.want.name)
        findings.more("state", total - listed, self._stream, self.topic)

    def _key(self, table: str = "t") -> tuple[sql.Composable, sql.Composable]:
        """The SQL of a row's key as the books have it: its first column, and the others as an array."""
        first, *rest = (sql.SQL("{}::text").format(sql.Identifier(table, c)) for c in self.want.key)
        return sql.SQL('({} COLLATE "C")').format(first), sql.SQL("ARRAY[{}]::text[]").format(sql.SQL(", ").join(rest))

    def _is_key_of(self, table: str) -> sql.Composable:
        """The SQL of whether an entry ``k`` of the books is that of a row."""
        return sql.SQL("k.key = {} AND k.rest = {}").format(*self._key(table))

    def _told_version(self) -> sql.Composable:
        """The SQL of a row's version as the books have it: numbers and texts that sort as the versions do."""
        parts = [_as_json(self.want.target, column) for column in self.want.by]
        return sql.SQL("jsonb_build_array({})").format(sql.SQL(", ").join(parts))


def _version(state: State, record: str) -> Callable[[Event], tuple[Any, ...]]:
    """What a row carries of the event that made it; the greatest wins, and nothing else here decides it."""
    if state.to_minute:
        return lambda event: (
            event["occurred_at"] - event["occurred_at"] % _MINUTE, event["brand"], event["jurisdiction"],
        )  # fmt: skip
    if state.ranks:
        rank = state.ranks[record]
        return lambda event: (rank, event["logged_at"], event["logged_offset"])
    if "version" in state.by:
        return lambda event: (event["version"], event["logged_at"], event["logged_offset"])
    return lambda event: (event["logged_at"], event["logged_offset"])


def _as_json(table: str, column: str) -> sql.Composable:
    kind = type(field_of(table, column))
    written = "(extract(epoch FROM {}) * 1000000)::bigint" if kind is models.DateTimeField else "{}"
    written = "{}::text" if kind is models.UUIDField else written
    return sql.SQL(written).format(sql.Identifier("t", column))
