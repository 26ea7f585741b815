"""Rows altered by hand, column by column, and whether what a run tells names them."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from tests.reconcile.conftest import Told, keep, replica, stored_columns
from tests.spine import Spine

OTHER = {
    "uuid": "gen_random_uuid()",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 second'",
    "date": "coalesce({0}, current_date) + 1",
    "boolean": "NOT coalesce({0}, false)",
    "smallint": "coalesce({0}, 0) + 1",
    "integer": "coalesce({0}, 0) + 1",
    "bigint": "coalesce({0}, 0) + 1000",
    "text": "coalesce({0}, '') || 'x'",
    "bytea": "coalesce({0}, '') || 'x'::bytea",
    "jsonb": '{0} || \'{{"reason": "other"}}\'',
    "text[]": "coalesce({0}, '{{}}') || '{{x}}'::text[]",
    "bigint[]": "coalesce({0}, '{{}}') || '{{1}}'::bigint[]",
}
# Numbers within a key, of which the next one may be there.
COUNTED = ("trading_leg.leg_no", "wallet_transfer.number", "wallet_balance.partition")


# Checks that tell of accounts and payments, whichever table has them.
BY_KEY = ("ledger", "payments")


@dataclass(frozen=True)
class Column:
    table: str
    name: str
    kind: str


@dataclass(frozen=True)
class Change:
    """A column that was altered in one row: what the row was and is."""

    table: str
    column: str
    before: Told
    now: Told

    @property
    def said(self) -> str:
        return f"{self.column}: {self.before.get(self.column)}, {self.now.get(self.column)}"


def columns_of(spine: Spine, tables: Sequence[str], exempt: Collection[str]) -> list[Column]:
    """All of the tables that is not exempt and not generated."""
    with replica(spine) as connection:
        kinds = {
            table: dict(connection.execute(
                "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass",
                [table]).fetchall())
            for table in tables
        }  # fmt: skip
        return [
            Column(table, column, kinds[table][column])
            for table in tables
            for column in stored_columns(connection, table)
            if f"{table}.{column}" not in exempt
        ]


def altered(spine: Spine, columns: list[Column], conditions: Mapping[str, str], *, nulls: bool = True) -> list[Change]:
    """Alter each of the columns in rows of its own: one that has something there, and with ``nulls`` one that has not.

    ``conditions`` are those of the rows that may be chosen of a table.
    """
    keep(spine, *{column.table for column in columns})
    changes: list[Change] = []
    used: list[str] = []
    with replica(spine) as connection:
        for column, is_null in product(columns, (False, True) if nulls else (False,)):
            table, name = column.table, column.name
            keys = ", ".join(f'"{key}"' for key in key_of(spine, table))
            place = f"'{table}' || tableoid::text || ctid::text"
            row = connection.execute(
                f"SELECT {place}, to_jsonb(t) FROM {table} t WHERE {conditions.get(table, 'true')}"
                f' AND ("{name}" IS NULL) = %s AND NOT {place} = ANY(%s)'
                f" ORDER BY md5(jsonb_build_array({keys})::text) LIMIT 1",
                [is_null, used],
            ).fetchone()
            if row is None:
                continue
            other = "{0} + 100" if f"{table}.{name}" in COUNTED else OTHER[column.kind]
            change = other.format(f'"{name}"')
            query = f'UPDATE {table} t SET "{name}" = {change} WHERE {place} = %s RETURNING to_jsonb(t), {place}'
            ((now, moved),) = connection.execute(query, [row[0]]).fetchall()
            used.append(moved)
            changes.append(Change(table, name, row[1], now))
    return changes


def names(difference: Told, table: str, row: Told, key: list[str]) -> bool:
    """Whether a difference tells of the row of the table: by its event, its place in the log, or its key."""
    said = json.dumps(difference)
    if row.get("event_id", "") and row["event_id"] in said:
        return True
    for prefix in ("source_", ""):
        if prefix + "offset" in row:
            place = (row.get(prefix + "partition"), [row[prefix + "offset"]] * 2)
            if (
                place == (difference["partition"], difference["offsets"])
                and row.get("topic", difference["topic"]) == (difference["topic"])
            ):
                return True
    headers = row.get("headers") or {}
    if headers.get("offset") and [int(headers["offset"])] * 2 == difference["offsets"]:
        return (headers["topic"], int(headers["partition"])) == (difference["topic"], difference["partition"])
    values = [str(row[name]).removesuffix("+00:00") for name in key]
    return bool(values) and (table in said or difference["check"] in BY_KEY) and all(value in said for value in values)


def key_of(spine: Spine, table: str) -> list[str]:
    rows = spine.rows(
        "SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)"
        " WHERE indrelid = %s::regclass AND indisprimary", table)  # fmt: skip
    by_market: dict[str, list[str]] = {"trading_statuschange": ["market_id"], "metrics_rolled": ["before"]}
    return by_market.get(table, [str(name) for (name,) in rows])


def unnamed(spine: Spine, rows: Sequence[tuple[str, str, list[Told]]], told: Told) -> list[str]:
    """Those of the rows (table, what was done to it, what it was and is) that a run does not name."""
    differences: list[Told] = told["differences"]
    assert told["total"] == len(differences), "all of them are listed"
    keys = {table: key_of(spine, table) for table, _, _ in rows}
    return [
        f"{table}.{what}"
        for table, what, states in rows
        if not any(names(found, table, row, keys[table]) for found in differences for row in states)
    ]
