from collections.abc import Iterator

import pytest
from django.conf import settings
from pytest_django import DjangoDbBlocker

from backoffice.streams.database import connect
from tests import databases
from tests.streams.stored import Store


@pytest.fixture(scope="session")
def shelf(template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of a database that the tests of a worker share; making one takes longer than most of them."""
    with django_db_blocker.unblock(), databases.copied(settings.DATABASE_URL, template) as name:
        yield databases.beside(settings.DATABASE_URL, name)


@pytest.fixture
def store(shelf: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Store]:
    """The streams over empty tables."""
    with django_db_blocker.unblock(), databases.default_database(shelf), connect() as connection:
        # What is tested is what the tables hold, not that it survives a loss of power.
        connection.execute("SET synchronous_commit = off")
        store = Store(connection)
        store.empty()
        yield store
