"""The table beside a table: made like it, with partitions and indexes, and put in its place with all that it has."""

from collections import defaultdict
from collections.abc import Iterable

from psycopg import sql

from backoffice.kernel.errors import Rejected

from ..database import Connection
from . import keeping
from .refusing import not_kept

SUFFIX = "__new"
ASIDE = "__old"


def name_of(table: str) -> str:
    return f"{table}{SUFFIX}"


def create(connection: Connection, table: str) -> None:
    """An empty shadow of the table; one that a broken-off rebuild left is thrown away."""
    with connection.transaction():
        drop(connection, table)
        key = _one(connection, "SELECT pg_get_partkeydef(%s::regclass)", table)
        by = sql.SQL(" PARTITION BY ") + sql.SQL(str(key)) if key else sql.SQL("")
        _make_like(connection, table, name_of(table), by)
        for partition, bounds in _partitions(connection, table):
            _add_partition(connection, table, partition, bounds)
        _run(connection, keeping.given_by_default(connection, name_of(table)))


def drop(connection: Connection, table: str) -> None:
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name_of(table))))


def keep_rows(connection: Connection, table: str, topic: str) -> None:
    """Take the live rows of a topic over as they are."""
    connection.execute(
        sql.SQL("INSERT INTO {} SELECT * FROM {} WHERE topic = {}").format(
            sql.Identifier(name_of(table)), sql.Identifier(table), sql.Literal(topic)
        )
    )


def refuse(connection: Connection, table: str) -> None:
    """Raises Rejected where something hangs on the table that would not survive the swap."""
    if lost := not_kept(connection, table):
        raise Rejected(
            f"{table} cannot be replaced without losing or breaking {', '.join(lost)}; it is as it was. Drop that first"
            " and make it again afterwards."
        )


def lock(connection: Connection, table: str) -> None:
    """Whoever writes the table has come to the end of its transaction; until that of ours nobody reads or writes it."""
    connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(table)))


def swap(connection: Connection, table: str) -> None:
    """Put the shadow in the table's place, under the table's names; within the open transaction.

    Raises:
        Rejected: something hangs on the table that would not survive it, or the table was changed meanwhile.
    """
    lock(connection, table)
    refuse(connection, table)
    _follow_partitions(connection, table)
    _compare(connection, table)
    settings, views = keeping.settings_of(connection, table), keeping.views_on(connection, table)
    indexes = {name: _indexes(connection, name) for name in _family(connection, table)}
    sequences = _sequences(connection, table)
    _take_sequences(connection, table)
    _rename(connection, "TABLE", table, f"{table}{ASIDE}")
    _rename(connection, "TABLE", name_of(table), table)
    _run(connection, views)
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(f"{table}{ASIDE}")))
    for partition in indexes.keys() - {table}:
        _rename(connection, "TABLE", _renamed(partition, table), partition)
    for relation, names in indexes.items():
        for definition, made in _indexes(connection, relation).items():
            for new, old in zip(made, names[definition], strict=True):
                _rename(connection, "INDEX", new, old)
    for column, new in _sequences(connection, table).items():
        _rename(connection, "SEQUENCE", new, sequences[column])
    _run(connection, settings)


def _compare(connection: Connection, table: str) -> None:
    for relation in _family(connection, table):
        if _shape(connection, relation) != _shape(connection, _renamed(relation, table)):
            raise Rejected(f"{relation} was changed while {table} was made anew; it is as it was. Start again.")


def _family(connection: Connection, table: str) -> list[str]:
    return [table, *(name for name, _ in _partitions(connection, table))]


def _follow_partitions(connection: Connection, table: str) -> None:
    """Have the partitions that the table has by now; others made or dropped some while the shadow was filled."""
    live = dict(_partitions(connection, table))
    there = {_original(name, table) for name, _ in _partitions(connection, name_of(table))}
    for gone in sorted(there - live.keys()):
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(_renamed(gone, table))))
    for new in sorted(live.keys() - there):
        _add_partition(connection, table, new, live[new])


def _add_partition(connection: Connection, table: str, partition: str, bounds: str) -> None:
    """The shadow's twin of a partition of the table, with what the shadow's default one has for it by now.

    ``bounds`` are as Postgres itself writes them.
    """
    twin = _renamed(partition, table)
    _make_like(connection, partition, twin, sql.SQL(""))
    default = next((name for name, its in _partitions(connection, name_of(table)) if its == "DEFAULT"), None)
    if default:
        holds = sql.SQL(str(_one(connection, "SELECT pg_get_partition_constraintdef(%s::regclass)", partition)))
        connection.execute(
            sql.SQL("WITH early AS (DELETE FROM {} WHERE {} RETURNING *) INSERT INTO {} SELECT * FROM early").format(
                sql.Identifier(default), holds, sql.Identifier(twin)
            )
        )
    connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} {}").format(
            sql.Identifier(name_of(table)), sql.Identifier(twin), sql.SQL(bounds)
        )
    )


def _make_like(connection: Connection, table: str, name: str, by: sql.Composable) -> None:
    """An empty table with the columns, indexes and ways of storage of another one."""
    is_partition, is_unlogged, method, space = connection.execute(
        "SELECT relispartition, relpersistence = 'u', amname, spcname FROM pg_class c"
        " LEFT JOIN pg_am a ON a.oid = relam LEFT JOIN pg_tablespace s ON s.oid = reltablespace"
        " WHERE c.oid = %s::regclass",
        [f'"{table}"'],
    ).fetchall()[0]
    connection.execute(
        sql.SQL("CREATE {}TABLE {} (LIKE {} INCLUDING ALL EXCLUDING STATISTICS{}){}{}{}").format(
            sql.SQL("UNLOGGED " if is_unlogged else ""),
            sql.Identifier(name),
            sql.Identifier(table),
            sql.SQL(" EXCLUDING IDENTITY" if is_partition else ""),
            by,
            sql.SQL(" USING ") + sql.Identifier(str(method)) if method else sql.SQL(""),
            sql.SQL(" TABLESPACE ") + sql.Identifier(str(space)) if space else sql.SQL(""),
        )
    )
    _run(connection, _storage(connection, table, name))


def _storage(connection: Connection, table: str, name: str) -> list[str]:
    """The statements that give a table another's owner and parameters of storage: by these it is filled."""
    rows = connection.execute(
        "SELECT format('ALTER TABLE %%I SET (%%s%%s)', %(name)s::text, prefix,"
        "  array_to_string(options, ', ' || prefix))"
        " FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid,"
        " LATERAL (VALUES ('', c.reloptions), ('toast.', t.reloptions)) AS given (prefix, options)"
        " WHERE c.oid = %(table)s::regclass AND options IS NOT NULL"
        " UNION ALL SELECT format('ALTER TABLE %%I OWNER TO %%s', %(name)s::text, relowner::regrole) FROM pg_class"
        " WHERE oid = %(table)s::regclass",
        {"name": name, "table": f'"{table}"'},
    ).fetchall()
    return [str(statement) for (statement,) in rows]


def _take_sequences(connection: Connection, table: str) -> None:
    """The sequences of serial columns, which the shadow's columns draw from already, go over to it."""
    rows = connection.execute(
        "SELECT format('ALTER SEQUENCE %%s OWNED BY %%I.%%I', d.objid::regclass, %s::text, attname) FROM pg_depend d"
        " JOIN pg_class s ON s.oid = d.objid AND relkind = 'S' JOIN pg_attribute ON attrelid = refobjid"
        " AND attnum = refobjsubid WHERE d.classid = 'pg_class'::regclass AND deptype = 'a'"
        " AND refobjid = %s::regclass",
        [name_of(table), f'"{table}"'],
    ).fetchall()
    _run(connection, [str(statement) for (statement,) in rows])


def _sequences(connection: Connection, table: str) -> dict[str, str]:
    """The sequence of each identity column."""
    rows = connection.execute(
        "SELECT attname, relname FROM pg_depend d JOIN pg_class s ON s.oid = objid AND relkind = 'S' JOIN pg_attribute"
        " ON attrelid = refobjid AND attnum = refobjsubid WHERE d.classid = 'pg_class'::regclass AND deptype = 'i'"
        " AND refobjid = %s::regclass",
        [f'"{table}"'],
    ).fetchall()
    return {str(column): str(name) for column, name in rows}


def _renamed(partition: str, table: str) -> str:
    return name_of(table) + partition.removeprefix(table)


def _original(partition: str, table: str) -> str:
    return table + partition.removeprefix(name_of(table))


def _partitions(connection: Connection, table: str) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = %s::regclass ORDER BY c.relname",
        [f'"{table}"'],
    ).fetchall()
    return [(str(name), str(bounds)) for name, bounds in rows]


def _indexes(connection: Connection, table: str) -> dict[str, list[str]]:
    """The names of the table's indexes by what they are, whatever they and the table are called."""
    rows = connection.execute(
        "SELECT regexp_replace(pg_get_indexdef(indexrelid), ' INDEX .*? USING ', ' ') || coalesce(contype::text, ''),"
        " relname FROM pg_index JOIN pg_class i ON i.oid = indexrelid LEFT JOIN pg_constraint c"
        " ON conindid = indexrelid AND conrelid = indrelid AND contype IN ('p', 'u', 'x')"
        " WHERE indrelid = %s::regclass ORDER BY relname",
        [f'"{table}"'],
    ).fetchall()
    found: dict[str, list[str]] = defaultdict(list)
    for definition, name in rows:
        found[str(definition)].append(str(name))
    return found


def _shape(connection: Connection, table: str) -> list[str]:
    """Columns, checks and indexes of a table, whatever it is called."""
    rows = connection.execute(
        "SELECT row(attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,"
        "  pg_get_expr(adbin, adrelid))::text FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid"
        "  AND adnum = attnum WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped"
        " UNION ALL SELECT row(conname, pg_get_constraintdef(oid))::text FROM pg_constraint"
        "  WHERE conrelid = %(table)s::regclass AND contype = 'c'",
        {"table": f'"{table}"'},
    ).fetchall()
    indexes = [f"{definition} {len(names)}" for definition, names in _indexes(connection, table).items()]
    return sorted([*(str(column) for (column,) in rows), *indexes])


def _rename(connection: Connection, kind: str, old: str, new: str) -> None:
    connection.execute(sql.SQL(f"ALTER {kind} {{}} RENAME TO {{}}").format(sql.Identifier(old), sql.Identifier(new)))


def _run(connection: Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement.encode())


def _one(connection: Connection, query: str, table: str) -> object:
    row = connection.execute(query.encode(), [f'"{table}"']).fetchone()
    return row[0] if row else None
