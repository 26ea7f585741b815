"""`manage.py migrate`: Django's, which stands in nobody's way for long."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from backoffice.commands import OperatorCommand

# Behind a lock that waits stand all who come after it, also those that only read: every page of the web.
LOCK_SECONDS = 5


class Command(OperatorCommand, migrate.Command):
    """A lock that somebody else holds (a report, a backup, a reconciliation in full) is waited for briefly.

    The migration that did not get it is undone; run again, it begins there.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        with connections[options["database"]].cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS:d}s"])
        super().handle(*args, **options)
