"""Users for a first look on one's own machine: one for each role, with passwords that no other installation has."""

import json
import os
import secrets
from pathlib import Path

from django.contrib.auth.models import Group, User

from .roles import ROLES, make_groups

_BYTES = 12


def ensure_demo_users(kept: Path) -> dict[str, str]:
    """The password of each demo user, by name; users and groups are made or mended so that it works.

    Passwords are kept in the file ``kept``, which only its owner can read, and are the same at every start.
    """
    passwords = {role: secrets.token_urlsafe(_BYTES) for role in ROLES} | _known(kept)
    _keep(kept, passwords)
    make_groups()
    for role in ROLES:
        user, _ = User.objects.get_or_create(username=role)
        if not (user.is_active and user.check_password(passwords[role])):
            user.is_active = True
            user.set_password(passwords[role])
            user.save()
        user.groups.add(Group.objects.get(name=role))
    return {role: passwords[role] for role in ROLES}


def _known(kept: Path) -> dict[str, str]:
    try:
        found = json.loads(kept.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(role): str(password) for role, password in found.items()}


def _keep(kept: Path, passwords: dict[str, str]) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    # Made unreadable to others before there is anything in it to read.
    with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(passwords, file)
