import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import override_settings
from playwright.sync_api import Browser

from tests.live.chromium import chromium
from tests.live.web import Web


@pytest.fixture(scope="module")
def web(house: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web process and a Redis channel that nobody else hears, for all tests of a file."""
    prefix = f"t{uuid4().hex[:10]}."
    with override_settings(KAFKA_TOPIC_PREFIX=prefix):
        started = Web(_environ(house, prefix), tmp_path_factory.mktemp("web"))
        try:
            started.start()
            yield started
        finally:
            started.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch:
        # Playwright keeps an event loop in this thread, in which Django would refuse to read its tables.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with chromium() as browser:
            yield browser


def _environ(database_url: str, prefix: str) -> dict[str, str]:
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "backoffice.settings.test",
        "DATABASE_URL": database_url,
        "REDIS_URL": settings.REDIS_URL,
        "KAFKA_BOOTSTRAP_SERVERS": settings.KAFKA["bootstrap.servers"],
        "SCHEMA_REGISTRY_URL": settings.SCHEMA_REGISTRY_URL,
        "KAFKA_TOPIC_PREFIX": prefix,
    }
