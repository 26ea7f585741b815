"""Who is behind a socket, and whether they still may be: looked up for all sockets of a process at once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils.crypto import constant_time_compare


@dataclass(frozen=True)
class Visitor:
    """A signed-in person in one session."""

    session_key: str
    permissions: frozenset[str]

    def may(self, permission: str) -> bool:
        return not permission or permission in self.permissions


def visitors(session_keys: Collection[str], now: datetime) -> dict[str, Visitor]:
    """Those of the sessions that are neither ended nor expired, nor signed out by a changed password or a lock."""
    sessions = Session.objects.filter(session_key__in=session_keys, expire_date__gt=now)
    contents = {session.session_key: session.get_decoded() for session in sessions}
    numbers = {data[SESSION_KEY] for data in contents.values() if SESSION_KEY in data and BACKEND_SESSION_KEY in data}
    users = {str(user.pk): user for user in get_user_model().objects.filter(pk__in=numbers, is_active=True)}
    permissions = {number: frozenset(user.get_all_permissions()) for number, user in users.items()}
    return {
        key: Visitor(key, permissions[data[SESSION_KEY]])
        for key, data in contents.items()
        if (user := users.get(data.get(SESSION_KEY, ""))) and _is_verified(user, data.get(HASH_SESSION_KEY, ""))
    }


def _is_verified(user: User, session_hash: str) -> bool:
    """A changed password ends the sessions that began with the old one."""
    return constant_time_compare(session_hash, user.get_session_auth_hash())
