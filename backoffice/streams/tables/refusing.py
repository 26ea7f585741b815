"""What hangs on a table and would be lost or broken if another took its place.

Whatever the catalogue knows of the table, and is neither a part of it nor kept (keeping.py), is named: so nothing is
lost because nobody thought of it.
"""

from collections.abc import Iterable

from psycopg import sql

from backoffice.kernel.errors import Rejected

from ..database import Connection
from .keeping import RELATIONS

_UNKNOWN = """
    , types AS (
        SELECT t.oid FROM pg_type t JOIN tree ON tree.oid = t.typrelid
        UNION SELECT t.typarray FROM pg_type t JOIN tree ON tree.oid = t.typrelid
    ), known AS (
        SELECT 'pg_class'::regclass AS kind, oid FROM relations
        UNION SELECT 'pg_class'::regclass, c.reltoastrelid FROM pg_class c JOIN tree USING (oid)
        UNION SELECT 'pg_class'::regclass, s.oid FROM pg_class s JOIN pg_depend d ON d.objid = s.oid
            JOIN tree ON tree.oid = d.refobjid
            WHERE s.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.deptype = 'a'
        UNION SELECT 'pg_type'::regclass, oid FROM types
        UNION SELECT 'pg_attrdef'::regclass, d.oid FROM pg_attrdef d JOIN tree ON tree.oid = d.adrelid
        UNION SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c JOIN tree ON tree.oid = c.conrelid
            WHERE c.contype <> 'f'
        UNION SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t JOIN tree ON tree.oid = t.tgrelid
        UNION SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN tree ON tree.oid = p.polrelid
        UNION SELECT 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext s JOIN tree ON tree.oid = s.stxrelid
        UNION SELECT 'pg_rewrite'::regclass, r.oid FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class
            JOIN pg_depend d ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass
            WHERE v.relkind = 'v' AND d.refobjid = {table}::regclass
    )
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS told FROM pg_depend d
        WHERE (d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM tree)
            OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT oid FROM types))
        AND NOT EXISTS (SELECT FROM known WHERE known.kind = d.classid AND known.oid = d.objid)
    UNION SELECT pg_describe_object(d.refclassid, d.refobjid, 0) FROM pg_depend d
        JOIN relations ON relations.oid = d.objid WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('e', 'x')
    UNION SELECT format('type %s, which it is made of', c.reloftype::regtype) FROM pg_class c JOIN tree USING (oid)
        WHERE c.reloftype <> 0
    UNION SELECT format('table %s, which it is a part of', i.inhparent::regclass) FROM pg_inherits i
        WHERE i.inhrelid = {table}::regclass
    UNION SELECT format('partition %s, which is no plain table', c.oid::regclass) FROM pg_class c JOIN tree USING (oid)
        WHERE c.oid <> {table}::regclass AND c.relkind <> 'r'
    UNION SELECT format('security label of %s', l.objoid::regclass) FROM pg_seclabel l
        JOIN relations ON relations.oid = l.objoid WHERE l.classoid = 'pg_class'::regclass
    UNION SELECT format('subscription of %s', r.srrelid::regclass) FROM pg_subscription_rel r
        JOIN tree ON tree.oid = r.srrelid
    ORDER BY told
"""

# Before a row is written: there it can be changed or left out. The bits of tgtype are those of pg_trigger.h.
_DECIDING = """
    SELECT DISTINCT t.tgname FROM pg_trigger t JOIN tree ON tree.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 3 = 3 AND t.tgtype & {operations} <> 0
    ORDER BY t.tgname
"""
_BITS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16}


def not_kept(connection: Connection, table: str) -> list[str]:
    """In Postgres' own words: ``materialized view sums``, ``publication of table trading_bet in publication all``."""
    asked = sql.SQL(RELATIONS + _UNKNOWN).format(table=sql.Literal(f'"{table}"'))
    return [str(told) for (told,) in connection.execute(asked).fetchall()]


def refuse_deciding_triggers(connection: Connection, table: str, operations: Iterable[str]) -> None:
    """Raises Rejected where triggers have a say in what is stored: what they go by is not what it was at the time."""
    bits = sum(_BITS[operation] for operation in operations)
    asked = sql.SQL(RELATIONS + _DECIDING).format(table=sql.Literal(f'"{table}"'), operations=sql.Literal(bits))
    if found := ", ".join(str(name) for (name,) in connection.execute(asked).fetchall()):
        raise Rejected(
            f"{table} cannot be made anew from Kafka alone: triggers ({found}) decide on its rows while they are"
            " stored, by what the tables hold at that moment. It is as it was; keep it."
        )
