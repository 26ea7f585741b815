"""`manage.py demo_users`: who can sign in on one's own machine, and with which password."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from backoffice.access.demo import ensure_demo_users
from backoffice.commands import OperatorCommand


class Command(OperatorCommand):
    help = "Make a user for each role (once) and print their passwords; for one's own machine only."

    def handle(self, **_: Any) -> None:
        if settings.DEMO_USERS is None:
            raise CommandError(
                "Demo users are for one's own machine (backoffice.settings.local); here make users in the admin."
            )
        passwords = ensure_demo_users(settings.DEMO_USERS)
        width = max(map(len, passwords))
        for role, password in passwords.items():
            self.stdout.write(f"  {role:<{width}}  {password}")
