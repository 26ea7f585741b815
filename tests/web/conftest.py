import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import uuid4

import pytest
from django.conf import settings

from tests.live.web import Web

Start = Callable[..., AbstractContextManager[Web]]


@pytest.fixture(scope="module")
def start(house: str, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Starts a web process on the database of the file, with these variables."""
    environ = os.environ | {
        "DJANGO_SETTINGS_MODULE": "backoffice.settings.test",
        "DATABASE_URL": house,
        "REDIS_URL": settings.REDIS_URL,
        "KAFKA_BOOTSTRAP_SERVERS": settings.KAFKA["bootstrap.servers"],
        "SCHEMA_REGISTRY_URL": settings.SCHEMA_REGISTRY_URL,
        "KAFKA_TOPIC_PREFIX": f"t{uuid4().hex[:10]}.",
    }

    @contextmanager
    def started(**variables: str) -> Iterator[Web]:
        web = Web(environ | variables, tmp_path_factory.mktemp("web"))
        try:
            web.start()
            yield web
        finally:
            web.kill()

    return started


@pytest.fixture(scope="module")
def web(start: Start) -> Iterator[Web]:
    """A web process that is set as any is."""
    with start() as web:
        yield web
