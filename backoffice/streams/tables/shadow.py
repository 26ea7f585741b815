"""The table beside a table: made like it, partitions, indexes and triggers included, and put in its place."""

from psycopg import sql

from ..database import Connection

SUFFIX = "__new"


def name_of(table: str) -> str:
    return f"{table}{SUFFIX}"


def create(connection: Connection, table: str) -> None:
    """An empty shadow of the table; one that a broken-off rebuild left is thrown away."""
    shadow = name_of(table)
    with connection.transaction():
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(shadow)))
        like = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(sql.Identifier(shadow), sql.Identifier(table))
        key = _one(connection, "SELECT pg_get_partkeydef(%s::regclass)", table)
        by = f" PARTITION BY {key}" if key else ""
        connection.execute(like.as_bytes() + by.encode())
        for partition, bounds in _partitions(connection, table):
            _add_partition(connection, table, partition, bounds)


def keep_rows(connection: Connection, table: str, topic: str) -> None:
    """Take the live rows of a topic over as they are."""
    connection.execute(
        sql.SQL("INSERT INTO {} SELECT * FROM {} WHERE topic = {}").format(
            sql.Identifier(name_of(table)), sql.Identifier(table), sql.Literal(topic)
        )
    )


def swap(connection: Connection, table: str) -> None:
    """Put the shadow in the table's place, under the table's names; within the open transaction."""
    partitions = [name for name, _ in _partitions(connection, table)]
    missing = set(partitions) - {_original(name, table) for name, _ in _partitions(connection, name_of(table))}
    for name, bounds in _partitions(connection, table):
        if name in missing:  # made by beat while the shadow was filled
            _add_partition(connection, table, name, bounds)
    triggers = [made for name in (table, *partitions) for made in _triggers(connection, name)]
    names = _index_names(connection, table)
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table)))
    for definition, index in _index_names(connection, name_of(table)).items():
        _rename(connection, "INDEX", index, names[definition])
    for partition, _ in _partitions(connection, name_of(table)):
        _rename(connection, "TABLE", partition, _original(partition, table))
    _rename(connection, "TABLE", name_of(table), table)
    for trigger in triggers:
        connection.execute(trigger)


def _add_partition(connection: Connection, table: str, partition: str, bounds: str) -> None:
    """The shadow's twin of a partition of the table; ``bounds`` as Postgres itself writes them."""
    statement = sql.SQL("CREATE TABLE {} PARTITION OF {} ").format(
        sql.Identifier(_renamed(partition, table)), sql.Identifier(name_of(table))
    )
    connection.execute(statement.as_bytes() + bounds.encode())


def _renamed(partition: str, table: str) -> str:
    return name_of(table) + partition.removeprefix(table)


def _original(partition: str, table: str) -> str:
    return table + partition.removeprefix(name_of(table))


def _partitions(connection: Connection, table: str) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = %s::regclass ORDER BY c.relname",
        [table],
    ).fetchall()
    return [(str(name), str(bounds)) for name, bounds in rows]


def _triggers(connection: Connection, table: str) -> list[bytes]:
    """The statements that make its own triggers, and note of them what django-pgtrigger knows them by."""
    rows = connection.execute(
        "SELECT pg_get_triggerdef(oid) || coalesce(format('; COMMENT ON TRIGGER %%I ON %%s IS %%L', tgname,"
        " tgrelid::regclass, obj_description(oid, 'pg_trigger')), '')"
        " FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgparentid = 0 ORDER BY tgname",
        [table],
    ).fetchall()
    return [str(made).encode() for (made,) in rows]


def _index_names(connection: Connection, table: str) -> dict[str, str]:
    """The table's indexes by what they are, whatever they and the table are called."""
    rows = connection.execute(
        "SELECT regexp_replace(pg_get_indexdef(indexrelid), ' INDEX .* USING ', ' '), indexrelid::regclass::text"
        " FROM pg_index WHERE indrelid = %s::regclass",
        [table],
    ).fetchall()
    return {str(definition): str(name).strip('"') for definition, name in rows}


def _rename(connection: Connection, kind: str, old: str, new: str) -> None:
    statement = sql.SQL(" {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
    connection.execute(f"ALTER {kind}".encode() + statement.as_bytes())


def _one(connection: Connection, query: str, table: str) -> object:
    row = connection.execute(query.encode(), [table]).fetchone()
    return row[0] if row else None
