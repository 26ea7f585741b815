"""Who is behind a socket, and whether they still may be: looked up for all sockets of a process at once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils.crypto import constant_time_compare

from backoffice.access.granted import EPOCH, permissions_of


@dataclass(frozen=True)
class Visitor:
    """A signed-in person in one session."""

    session_key: str
    permissions: frozenset[str]

    def may(self, permission: str) -> bool:
        return not permission or permission in self.permissions


class Visitors:
    """Looks sessions up in two statements, however many there are.

    Permissions are remembered as long as nobody's change; after that two statements more find those of all.
    """

    def __init__(self) -> None:
        # With the epoch that they are of; set as one, since several threads may look.
        self._known: tuple[int, dict[tuple[int, bool], frozenset[str]]] = (-1, {})

    def present(self, session_keys: Collection[str], now: datetime) -> dict[str, Visitor]:
        """Those of the sessions that are neither ended nor expired, nor signed out by a changed password or a lock.

        To be called within one transaction that sees one moment: permissions have to be those of their epoch.
        """
        sessions = Session.objects.filter(session_key__in=session_keys, expire_date__gt=now)
        contents = {session.session_key: session.get_decoded() for session in sessions}
        numbers = {
            data[SESSION_KEY] for data in contents.values() if SESSION_KEY in data and BACKEND_SESSION_KEY in data
        }
        users = {
            str(user.pk): user for user in User.objects.filter(pk__in=numbers, is_active=True).annotate(epoch=EPOCH)
        }
        permissions = self._permissions_of(users.values())
        return {
            key: Visitor(key, permissions[user.pk])
            for key, data in contents.items()
            if (user := users.get(data.get(SESSION_KEY, ""))) and _is_verified(user, data.get(HASH_SESSION_KEY, ""))
        }

    def _permissions_of(self, users: Collection[Any]) -> dict[int, frozenset[str]]:
        """Whether somebody is a superuser stands with the user and not in the epoch."""
        epoch, known = self._known
        present = max((user.epoch for user in users), default=epoch)
        if present != epoch:
            known = {}
            self._known = (present, known)
        if unknown := [user for user in users if (user.pk, user.is_superuser) not in known]:
            found = permissions_of(unknown)
            known |= {(user.pk, user.is_superuser): found[user.pk] for user in unknown}
        return {user.pk: known[user.pk, user.is_superuser] for user in users}


def _is_verified(user: User, session_hash: str) -> bool:
    """A changed password ends the sessions that began with the old one."""
    return constant_time_compare(session_hash, user.get_session_auth_hash())
