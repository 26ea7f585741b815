"""Migration operations for partitioned tables: making one, and laying one that is there out anew."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor as Editor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import Field

from backoffice.streams.clocks import PostgresClock

from .partitions import DEFAULT, ensure_partitions

# COPY sends some hundred rows at once, and with each partition they fall apart into more and smaller heaps: four cost
# nothing, sixteen a seventh (docs/performance.md).
HASH_PARTITIONS = 4


class CreatePartitioned(migrations.CreateModel):
    """CreateModel for a table in ``hash`` partitions by the hash of ``by``; with no ``hash`` by month of that time."""

    def __init__(self, *args: Any, by: str, hash: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by = by
        self.hash = hash

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        name, arguments, options = super().deconstruct()
        return name, arguments, options | {"by": self.by, "hash": self.hash}

    def database_forwards(self, app_label: str, schema_editor: Editor, _: ProjectState, to_state: ProjectState) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            _create(schema_editor, model, self.by, self.hash)


class Repartition(Operation):
    """Lay a table out anew in ``hash`` partitions by the hash of ``by``, with all its rows, in one transaction.

    With ``fields`` (all of the new ones, as CreateModel takes them) it also gets other columns or another primary key,
    which Django itself cannot change once it is composite; ``fill`` then has the SQL of each column that was not there
    before, in terms of those that were. Indexes, constraints and triggers are those of the model's state; grants are
    taken over. Readers and writers wait until it is done. Where anything depends on the table (a view, a foreign key)
    it fails and changes nothing.
    """

    reversible = False

    def __init__(
        self,
        name: str,
        by: str,
        hash: int = HASH_PARTITIONS,
        fields: "Sequence[tuple[str, Field[Any, Any]]] | None" = None,
        fill: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.by, self.hash, self.fields, self.fill = name, by, hash, fields, dict(fill or {})

    def describe(self) -> str:
        return f"Lay {self.name} out in {self.hash} partitions by the hash of {self.by}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        if self.fields is not None:
            state.models[app_label, self.name.lower()].fields = dict(self.fields)
            state.reload_model(app_label, self.name.lower(), delay=False)

    def database_forwards(self, app_label: str, schema_editor: Editor, _: ProjectState, to_state: ProjectState) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        table = model._meta.db_table
        grants = _grants(schema_editor, table)
        before = _put_aside(schema_editor, table)
        _create(schema_editor, model, self.by, self.hash)
        names = [field.column for field in model._meta.concrete_fields if field.column]
        quoted = ", ".join(f'"{name}"' for name in names)
        values = ", ".join(self.fill.get(name, f'"{name}"') for name in names)
        schema_editor.execute(f'INSERT INTO "{table}" ({quoted}) SELECT {values} FROM "{before}"')  # noqa: S608 - of a model's names
        schema_editor.execute(f'DROP TABLE "{before}"')
        for grant in grants:
            schema_editor.execute(grant)


def _create(schema_editor: Editor, model: Any, by: str, hash: int) -> None:
    """The table and its partitions; its indexes follow at the end of the migration, when the rows are there."""
    table, template = model._meta.db_table, schema_editor.sql_create_table
    schema_editor.sql_create_table = f'{template} PARTITION BY {"HASH" if hash else "RANGE"} ("{by}")'
    try:
        schema_editor.create_model(model)
    finally:
        schema_editor.sql_create_table = template
    for number in range(hash):
        bounds = f"FOR VALUES WITH (MODULUS {hash}, REMAINDER {number})"
        schema_editor.execute(f'CREATE TABLE "{table}_{number:02}" PARTITION OF "{table}" {bounds}')
    if not hash:
        schema_editor.execute(f'CREATE TABLE "{table}_{DEFAULT}" PARTITION OF "{table}" DEFAULT')
        ensure_partitions(PostgresClock().now())


def _put_aside(schema_editor: Editor, table: str) -> str:
    """Under another name, its partitions and all indexes too: the new table has their names from now on."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "WITH parts AS (SELECT relid FROM pg_partition_tree(%s))"
            " SELECT relname, oid, relkind IN ('i', 'I') FROM pg_class WHERE oid IN (SELECT relid FROM parts"
            " UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid IN (SELECT relid FROM parts))",
            [f'"{table}"'],
        )
        renamed = [(str(name), f"before_{oid}", "INDEX" if is_index else "TABLE") for name, oid, is_index in cursor]
    for name, before, kind in renamed:
        schema_editor.execute(f'ALTER {kind} "{name}" RENAME TO "{before}"')
    return next(before for name, before, _ in renamed if name == table)


def _grants(schema_editor: Editor, table: str) -> list[str]:
    """The statements that give others what they have of the table now."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('GRANT %%s ON %%s TO %%s%%s', privilege_type, oid::regclass,"
            " CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,"
            " CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)"
            " FROM pg_class, aclexplode(relacl) WHERE oid = %s::regclass AND grantee <> relowner",
            [f'"{table}"'],
        )
        return [str(statement) for (statement,) in cursor.fetchall()]
