"""What many people may do, asked at once, is what Django says of each; and every change of it shows."""

import random
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from backoffice.access.granted import EPOCH, permissions_of

pytestmark = pytest.mark.usefixtures("house")


def epoch() -> int:
    user, _ = User.objects.get_or_create(username="asks")
    return int(User.objects.annotate(epoch=EPOCH).get(pk=user.pk).epoch)


def people(count: int) -> list[User]:
    """Each with some permissions of their own and by some groups; every tenth may do everything."""
    rng = random.Random(count)
    permissions = list(Permission.objects.all())
    groups = [Group.objects.create(name=uuid4().hex) for _ in range(4)]
    for group in groups:
        group.permissions.set(rng.sample(permissions, 5))
    made = []
    for number in range(count):
        user = User.objects.create(username=uuid4().hex, is_superuser=number % 10 == 9)
        user.groups.set(rng.sample(groups, rng.randrange(4)))
        user.user_permissions.set(rng.sample(permissions, rng.randrange(3)))
        made.append(user)
    return made


@pytest.mark.parametrize("count", [1, 10, 50])
def test_it_is_what_django_says_of_each_and_takes_the_same_statements_for_all(count: int) -> None:
    users = people(count)

    with CaptureQueriesContext(connection) as queries:
        found = permissions_of(users)

    assert len(queries) == 2 + (count >= 10)
    assert found == {user.pk: User.objects.get(pk=user.pk).get_all_permissions() for user in users}


def _of_group(user: User) -> None:
    Group.objects.get(user=user).permissions.add(Permission.objects.all()[0])


CHANGES: dict[str, Callable[[User], Any]] = {
    "joins a group": lambda user: user.groups.add(Group.objects.create(name=uuid4().hex)),
    "leaves its groups": lambda user: user.groups.clear(),
    "gets a permission": lambda user: user.user_permissions.add(Permission.objects.all()[1]),
    "its group gets a permission": _of_group,
    "its group is deleted": lambda user: Group.objects.get(user=user).delete(),
    "in plain SQL": lambda _: connection.cursor().execute("DELETE FROM auth_user_groups"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_shows_once_it_is_committed_and_not_before(change: Callable[[User], Any]) -> None:
    user = User.objects.create(username=uuid4().hex)
    user.groups.add(Group.objects.create(name=uuid4().hex))
    before, seen = epoch(), list[int]()

    def ask() -> None:
        seen.append(epoch())
        connection.close()

    with transaction.atomic():
        change(user)
        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(30)

    assert seen == [before]
    assert epoch() > before


def test_signing_in_and_a_new_name_change_nobodys_permissions() -> None:
    user = User.objects.create(username=uuid4().hex)
    before = epoch()

    User.objects.filter(pk=user.pk).update(last_name="Trader", last_login="2026-01-01T00:00Z")

    assert epoch() == before


def test_who_was_given_what_is_on_record_and_no_password() -> None:
    user, group = User.objects.create_user(uuid4().hex, password="only-for-tests"), Group.objects.create(name="desk")
    user.set_password("another")
    user.save()

    user.groups.add(group)
    group.permissions.add(Permission.objects.all()[0])

    said = [entry.changes for entry in LogEntry.objects.get_for_object(user)]
    assert {"groups": {"type": "m2m", "operation": "add", "objects": ["desk"]}} in said
    assert LogEntry.objects.get_for_object(group).filter(changes__has_key="permissions").exists()
    hashed = User.objects.get(pk=user.pk).password
    assert hashed not in str(said)
    assert any("password" in changes for changes in said)
