"""`manage.py partitions`."""

from typing import Any

from django.core.management.base import CommandError

from backoffice.commands import OperatorCommand
from backoffice.streams.clocks import PostgresClock
from backoffice.streams.tables.partitions import NotMade, ensure_partitions
from backoffice.streams.tables.unmade import end_not_made


class Command(OperatorCommand):
    help = (
        "Make the monthly partitions that are missing now, as beat does every night; exit 1 where one cannot be made."
    )

    def handle(self, **_: Any) -> None:
        now = PostgresClock().now()
        try:
            made = ensure_partitions(now)
        except NotMade as reason:
            raise CommandError(
                f"Could not be made: {reason}. Their rows lie in the default partition until they are; end what holds"
                " the table, then type it again."
            ) from reason
        end_not_made(now)
        self.stdout.write(f"made: {', '.join(made) or 'none is missing'}")
