"""What people and other programs have set on a table, so that its successor has it too.

`LIKE … INCLUDING ALL` copies columns, defaults, checks and indexes. The rest is read from the catalogue as statements
in the table's own names, to be run once the successor has these. What is not known here is refused (refusing.py).
"""

from psycopg import sql

from ..database import Connection

# The table and its partitions; and with them the indexes of all of these, and the sequences of identity columns.
RELATIONS = """
    WITH tree AS (
        SELECT {table}::regclass AS oid UNION SELECT relid FROM pg_partition_tree({table}::regclass)
    ), relations AS (
        SELECT oid FROM tree
        UNION SELECT indexrelid FROM pg_index JOIN tree ON tree.oid = indrelid
        UNION SELECT s.oid FROM pg_depend d JOIN tree ON tree.oid = d.refobjid JOIN pg_class s ON s.oid = d.objid
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
            AND d.deptype = 'i' AND s.relkind = 'S'
    )
"""

_NOTHING_YET = """
    SELECT format('REVOKE ALL ON %s %s FROM %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
        c.oid::regclass, c.relowner::regrole)
    FROM pg_class c JOIN relations USING (oid) WHERE c.relacl IS NOT NULL
"""
# Each in the name of whoever granted it, who alone may take it back.
_GRANTS = """
    SELECT format('SET LOCAL ROLE %s; GRANT %s ON %s %s TO %s%s; RESET ROLE', acl.grantor::regrole, acl.privilege_type,
        CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass,
        CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END,
        CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_class c JOIN relations USING (oid), aclexplode(c.relacl)
        WITH ORDINALITY AS acl (grantor, grantee, privilege_type, is_grantable, place)
    ORDER BY c.oid, acl.place
"""
_GRANTS_OF_COLUMNS = """
    SELECT format('SET LOCAL ROLE %s; GRANT %s (%I) ON TABLE %s TO %s%s; RESET ROLE', acl.grantor::regrole,
        acl.privilege_type, a.attname, a.attrelid::regclass,
        CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END,
        CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_attribute a JOIN tree ON tree.oid = a.attrelid AND NOT a.attisdropped, aclexplode(a.attacl)
        WITH ORDINALITY AS acl (grantor, grantee, privilege_type, is_grantable, place)
    ORDER BY a.attrelid, a.attnum, acl.place
"""
_STATISTICS_OF_COLUMNS = """
    SELECT format('ALTER %s %s ALTER COLUMN %s SET STATISTICS %s',
        CASE WHEN c.relkind IN ('i', 'I') THEN 'INDEX' ELSE 'TABLE ONLY' END, c.oid::regclass,
        CASE WHEN c.relkind IN ('i', 'I') THEN a.attnum::text ELSE quote_ident(a.attname) END, a.attstattarget)
    FROM pg_attribute a JOIN relations ON relations.oid = a.attrelid JOIN pg_class c ON c.oid = a.attrelid
    WHERE a.attstattarget >= 0 AND NOT a.attisdropped
"""
_OPTIONS_OF_COLUMNS = """
    SELECT format('ALTER TABLE ONLY %s ALTER COLUMN %I SET (%s)', a.attrelid::regclass, a.attname,
        array_to_string(a.attoptions, ', '))
    FROM pg_attribute a JOIN tree ON tree.oid = a.attrelid WHERE a.attoptions IS NOT NULL AND NOT a.attisdropped
"""
_STATISTICS = """
    SELECT concat_ws('; ', pg_get_statisticsobjdef(s.oid),
        format('ALTER STATISTICS %I.%I SET STATISTICS %s', n.nspname, s.stxname, coalesce(s.stxstattarget, -1)),
        format('ALTER STATISTICS %I.%I OWNER TO %s', n.nspname, s.stxname, s.stxowner::regrole))
    FROM pg_statistic_ext s JOIN tree ON tree.oid = s.stxrelid JOIN pg_namespace n ON n.oid = s.stxnamespace
"""
_TRIGGERS = """
    SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN tree ON tree.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND t.tgparentid = 0 ORDER BY t.tgname
"""
_TRIGGERS_TURNED = """
    SELECT format('ALTER TABLE ONLY %s %s TRIGGER %I', t.tgrelid::regclass,
        CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, t.tgname)
    FROM pg_trigger t JOIN tree ON tree.oid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgenabled <> 'O'
"""
_ROW_SECURITY = """
    SELECT format('ALTER TABLE ONLY %s %s ROW LEVEL SECURITY', c.oid::regclass, done.how)
    FROM pg_class c JOIN tree USING (oid),
        LATERAL (VALUES ('ENABLE', c.relrowsecurity), ('FORCE', c.relforcerowsecurity)) AS done (how, is_set)
    WHERE done.is_set
"""
_POLICIES = """
    SELECT format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.polname, p.polrelid::regclass,
        CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
            ELSE 'ALL' END,
        (SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE role::regrole::text END, ', ')
            FROM unnest(p.polroles) AS role))
        || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
        || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
    FROM pg_policy p JOIN tree ON tree.oid = p.polrelid ORDER BY p.polname
"""
_REPLICA_IDENTITY = """
    SELECT format('ALTER TABLE ONLY %s REPLICA IDENTITY %s', c.oid::regclass,
        CASE c.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE format('USING INDEX %I', i.relname) END)
    FROM pg_class c JOIN tree USING (oid)
    LEFT JOIN (pg_index x JOIN pg_class i ON i.oid = x.indexrelid) ON x.indrelid = c.oid AND x.indisreplident
    WHERE c.relreplident <> 'd'
"""
_CLUSTERED = """
    SELECT format('ALTER TABLE %s CLUSTER ON %I', x.indrelid::regclass, i.relname)
    FROM pg_index x JOIN tree ON tree.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indisclustered
"""
_COMMENTS = """
    SELECT format('COMMENT ON %s IS %L', made.what, d.description) FROM pg_description d JOIN (
        SELECT 'pg_class'::regclass AS kind, c.oid, 0 AS part, format('%s %s', CASE WHEN c.relkind IN ('i', 'I')
            THEN 'INDEX' WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass) AS what
            FROM pg_class c JOIN relations USING (oid)
        UNION ALL SELECT 'pg_class'::regclass, a.attrelid, a.attnum,
            format('COLUMN %s.%I', a.attrelid::regclass, a.attname)
            FROM pg_attribute a JOIN tree ON tree.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped
        UNION ALL SELECT 'pg_constraint'::regclass, c.oid, 0,
            format('CONSTRAINT %I ON %s', c.conname, c.conrelid::regclass)
            FROM pg_constraint c JOIN tree ON tree.oid = c.conrelid
        UNION ALL SELECT 'pg_trigger'::regclass, t.oid, 0, format('TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
            FROM pg_trigger t JOIN tree ON tree.oid = t.tgrelid
        UNION ALL SELECT 'pg_policy'::regclass, p.oid, 0, format('POLICY %I ON %s', p.polname, p.polrelid::regclass)
            FROM pg_policy p JOIN tree ON tree.oid = p.polrelid
        UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid, 0, format('STATISTICS %I.%I', n.nspname, s.stxname)
            FROM pg_statistic_ext s JOIN tree ON tree.oid = s.stxrelid JOIN pg_namespace n ON n.oid = s.stxnamespace
    ) AS made ON d.classoid = made.kind AND d.objoid = made.oid AND d.objsubid = made.part
"""
_ALL = (
    _NOTHING_YET, _GRANTS, _GRANTS_OF_COLUMNS, _STATISTICS_OF_COLUMNS, _OPTIONS_OF_COLUMNS, _STATISTICS,
    _TRIGGERS, _TRIGGERS_TURNED, _ROW_SECURITY, _POLICIES, _REPLICA_IDENTITY, _CLUSTERED, _COMMENTS,
)  # fmt: skip

# It stays the same view, with its owner, grants and whatever is built on it; it only gets to see another table.
_VIEWS = """
    SELECT DISTINCT format('CREATE OR REPLACE VIEW %s %s AS %s', v.oid::regclass,
        'WITH (' || array_to_string(v.reloptions, ', ') || ')', pg_get_viewdef(v.oid))
    FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.refobjid = {table}::regclass AND v.relkind = 'v'
"""
_GIVEN_BY_DEFAULT = """
    SELECT DISTINCT format('REVOKE ALL ON %s %s FROM %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
        c.oid::regclass, CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END)
    FROM pg_class c JOIN relations USING (oid), aclexplode(c.relacl) AS acl WHERE acl.grantee <> c.relowner
"""


def settings_of(connection: Connection, table: str) -> list[str]:
    """The statements that give a table of this name what the one that has it now was given, apart from its rows."""
    return [statement for query in _ALL for statement in _statements(connection, RELATIONS + query, table)]


def views_on(connection: Connection, table: str) -> list[str]:
    """The statements that lead the views on a table to the one that has its name when they are run."""
    return _statements(connection, _VIEWS, table)


def given_by_default(connection: Connection, table: str) -> list[str]:
    """The statements that take back what others were given of a table just because it was made."""
    return _statements(connection, RELATIONS + _GIVEN_BY_DEFAULT, table)


def _statements(connection: Connection, query: str, table: str) -> list[str]:
    asked = sql.SQL(query).format(table=sql.Literal(f'"{table}"'))
    return [str(statement) for (statement,) in connection.execute(asked).fetchall()]
