from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from pytest_django import DjangoDbBlocker

from backoffice.access.roles import ROLES
from tests import databases


@pytest.fixture(scope="module")
def house(template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A database for all tests of a file; making one takes longer than most of them."""
    with (
        django_db_blocker.unblock(),
        databases.copied(settings.DATABASE_URL, template) as name,
        databases.default_database(databases.beside(settings.DATABASE_URL, name)),
    ):
        yield


@pytest.fixture
def empty_house(house: None) -> None:
    """Nobody of a role is there yet."""
    User.objects.filter(username__in=ROLES).delete()
    Group.objects.all().delete()
