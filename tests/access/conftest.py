import pytest
from django.contrib.auth.models import Group, User

from backoffice.access.roles import ROLES


@pytest.fixture
def empty_house(house: str) -> None:
    """Nobody of a role is there yet."""
    User.objects.filter(username__in=ROLES).delete()
    Group.objects.all().delete()
