"""`manage.py demo_users`: somebody to sign in as, on one's own machine only."""

from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from backoffice.access.roles import ROLES

pytestmark = pytest.mark.usefixtures("empty_house")


def told() -> dict[str, str]:
    out = StringIO()
    call_command("demo_users", stdout=out)
    return dict(line.split() for line in out.getvalue().splitlines())


def test_each_role_has_a_user_who_can_sign_in_and_stays_the_same(tmp_path: Path) -> None:
    kept = tmp_path / "folder" / "demo-users.json"
    with override_settings(DEMO_USERS=kept):
        first, second = told(), told()

    assert first == second
    assert set(first) == set(ROLES)
    assert len(set(first.values())) == len(ROLES)
    assert kept.stat().st_mode & 0o077 == 0
    for role, password in first.items():
        assert Client().login(username=role, password=password)
        assert [group.name for group in User.objects.get(username=role).groups.all()] == [role]


def test_a_lost_database_or_a_changed_password_is_mended(tmp_path: Path) -> None:
    with override_settings(DEMO_USERS=tmp_path / "demo-users.json"):
        first = told()
        User.objects.filter(username="trader").delete()
        other = User.objects.get(username="operations")
        other.set_password("forgotten")
        other.is_active = False
        other.save()

        assert told() == first
    assert all(Client().login(username=role, password=password) for role, password in first.items())


def test_another_installation_has_other_passwords(tmp_path: Path) -> None:
    with override_settings(DEMO_USERS=tmp_path / "one.json"):
        one = told()
    with override_settings(DEMO_USERS=tmp_path / "other.json"):
        other = told()

    assert not set(one.values()) & set(other.values())


def test_a_real_installation_gets_no_demo_users() -> None:
    with pytest.raises(CommandError, match="make users in the admin"):
        call_command("demo_users")

    assert not User.objects.filter(username__in=ROLES).exists()
    assert not Group.objects.exists()
