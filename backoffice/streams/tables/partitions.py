"""Large tables in monthly partitions: made by the migration, and ahead of time by beat.

A table is partitioned by a time, or by an id that carries its time (UUIDv7), so that the id alone stays unique over all
partitions. Ids of other versions work too: they land in whatever partition their bits name, or in the default one.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState
from django.db.utils import IntegrityError, OperationalError
from psycopg import sql

from backoffice.kernel.clock import SystemClock
from backoffice.kernel.ids import uuid7_floor

log = logging.getLogger(__name__)

MONTHS_BACK = 13
MONTHS_AHEAD = 3


class CreatePartitioned(migrations.CreateModel):
    """CreateModel for a table that is partitioned by range of ``by``; partitions come with ``ensure_partitions``.

    With ``immutable`` the database itself refuses UPDATE, DELETE and TRUNCATE.
    """

    def __init__(self, *args: Any, by: str, immutable: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by = by
        self.immutable = immutable

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        name, arguments, options = super().deconstruct()
        return name, arguments, options | {"by": self.by, "immutable": self.immutable}

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        template = schema_editor.sql_create_table
        schema_editor.sql_create_table = f'{template} PARTITION BY RANGE ("{self.by}")'
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.sql_create_table = template
        table = to_state.apps.get_model(app_label, self.name)._meta.db_table
        schema_editor.execute(f'CREATE TABLE "{table}_default" PARTITION OF "{table}" DEFAULT')
        if self.immutable:
            for statement in immutability(table, [f"{table}_default"]):
                schema_editor.execute(statement, params=None)
        ensure_partitions(SystemClock().now())


def immutability(table: str, partitions: list[str]) -> list[str]:
    """The statements that make the database refuse every change of a row of ``table``.

    The row trigger is copied to partitions by Postgres; that against TRUNCATE has to be put on each.
    """
    return [
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION '% is append-only; correct it with a reversing entry', TG_TABLE_NAME"
        " USING ERRCODE = 'restrict_violation'; END $$",
        f'CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON "{table}" FOR EACH ROW EXECUTE FUNCTION refuse_change()',
        *(_against_truncate(name) for name in (table, *partitions)),
    ]


def ensure_partitions(now: datetime, back: int = MONTHS_BACK, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Make the monthly partitions round ``now`` that are missing; returns the names of those made."""
    made = []
    for table, kind in _partitioned_tables():
        for offset in range(-back, ahead + 1):
            start, end = _month(now, offset), _month(now, offset + 1)
            name = f"{table}_{start:%Y%m}"
            if _make(table, name, _bound(kind, start), _bound(kind, end)):
                made.append(name)
    return made


def _make(table: str, name: str, start: str, end: str) -> bool:
    from django.db import connection

    statement = sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
        sql.Identifier(name), sql.Identifier(table), sql.Literal(start), sql.Literal(end)
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f'"{name}"'])
        if cursor.fetchone()[0]:
            return False
        try:
            with transaction.atomic():
                # A long read of the table must not make the streams wait behind this; there is time until the month.
                cursor.execute("SET LOCAL lock_timeout = '2s'")
                cursor.execute(statement)
                cursor.execute(
                    "SELECT 1 FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = 'immutable_truncate'", [table]
                )
                if cursor.fetchone():
                    cursor.execute(_against_truncate(name))
        except IntegrityError:
            # Rows of that month are in the default partition; they are served from there, and so stay there.
            return False
        except OperationalError as busy:
            log.warning("%s is made with the next run: %s", name, busy)
            return False
    return True


def _partitioned_tables() -> list[tuple[str, str]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, format_type(a.atttypid, NULL) FROM pg_partitioned_table p"
            " JOIN pg_class c ON c.oid = p.partrelid"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0] ORDER BY c.relname"
        )
        return [(str(table), str(kind)) for table, kind in cursor.fetchall()]


def _bound(kind: str, at: datetime) -> str:
    return str(uuid7_floor(at)) if kind == "uuid" else at.isoformat()


def _month(now: datetime, offset: int) -> datetime:
    months = now.year * 12 + now.month - 1 + offset
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def _against_truncate(table: str) -> str:
    return (
        f'CREATE TRIGGER immutable_truncate BEFORE TRUNCATE ON "{table}"'
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
