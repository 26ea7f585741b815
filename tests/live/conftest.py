from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from tests import databases
from tests.live.web import Web


@pytest.fixture(scope="module")
def web(template: str, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web process over a database of its own, and a Redis channel that nobody else hears; for all tests of a file."""
    folder: Path = tmp_path_factory.mktemp("web")
    prefix = f"t{uuid4().hex[:10]}."
    with (
        django_db_blocker.unblock(),
        databases.copied(settings.DATABASE_URL, template) as name,
        databases.default_database(databases.beside(settings.DATABASE_URL, name)),
        override_settings(KAFKA_TOPIC_PREFIX=prefix),
    ):
        started = Web(environ(databases.beside(settings.DATABASE_URL, name), prefix), folder)
        try:
            started.start()
            yield started
        finally:
            started.kill()


def environ(database_url: str, prefix: str) -> dict[str, str]:
    import os

    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "backoffice.settings.test",
        "DATABASE_URL": database_url,
        "REDIS_URL": settings.REDIS_URL,
        "KAFKA_BOOTSTRAP_SERVERS": settings.KAFKA["bootstrap.servers"],
        "SCHEMA_REGISTRY_URL": settings.SCHEMA_REGISTRY_URL,
        "KAFKA_TOPIC_PREFIX": prefix,
    }
