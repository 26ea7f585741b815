"""What the schema registry said, kept in Postgres, so that messages are read on while it is away."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from backoffice.contracts.address import address
from backoffice.contracts.registry import Registry

from .database import connect, retryable
from .sessions import session

_KEEP = """
INSERT INTO streams_known_schema (registry, schema_id, schema, subjects, known_at)
VALUES (%(registry)s, %(schema_id)s, %(schema)s, %(subjects)s, now())
ON CONFLICT (registry, schema_id) DO UPDATE SET known_at = CASE
    WHEN streams_known_schema.schema = EXCLUDED.schema THEN now() ELSE streams_known_schema.known_at
END, subjects = CASE
    WHEN streams_known_schema.schema <> EXCLUDED.schema OR EXCLUDED.subjects <@ streams_known_schema.subjects
    THEN streams_known_schema.subjects
    ELSE streams_known_schema.subjects || EXCLUDED.subjects
END
RETURNING schema
"""


def our_registry() -> Registry:
    """The registry of the settings, with what is known of it."""
    believed = settings.SCHEMAS_BELIEVED.total_seconds()
    return Registry(settings.SCHEMA_REGISTRY_URL, settings.KAFKA_TOPIC_PREFIX, known=KnownSchemas(), believed=believed)


def forget() -> int:
    """Forget what the registry of the settings said; returns of how many ids."""
    with retryable(), connect() as connection:
        name = address(settings.SCHEMA_REGISTRY_URL).name
        return connection.execute("DELETE FROM streams_known_schema WHERE registry = %s", [name]).rowcount


class KnownSchemas:
    """The kept answers of registries; see `backoffice.contracts.registry.Known`. They are asked for
    seldom, and all at once when a worker starts: nobody holds a connection for them.
    """

    def schema(self, registry: str, schema_id: int) -> str | None:
        found = self._one(
            "SELECT schema FROM streams_known_schema WHERE registry = %s AND schema_id = %s", [registry, schema_id]
        )
        return str(found) if found is not None else None

    def schema_id(self, registry: str, subject: str, schema: str) -> int | None:
        found: int | None = self._one(
            "SELECT schema_id FROM streams_known_schema WHERE registry = %s AND %s = ANY(subjects) AND schema = %s"
            " ORDER BY known_at DESC, schema_id LIMIT 1",
            [registry, subject, schema],
        )
        return found

    def keep(self, registry: str, schema_id: int, schema: str, subject: str | None) -> str:
        subjects = [subject] if subject else []
        return str(
            self._one(_KEEP, {"registry": registry, "schema_id": schema_id, "schema": schema, "subjects": subjects})
        )

    def _one(self, query: str, parameters: Sequence[object] | dict[str, object]) -> Any:
        with session() as connection:
            row = connection.execute(query.encode(), parameters).fetchone()
        return row[0] if row else None
