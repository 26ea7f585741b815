"""`manage.py partitions`."""

from typing import Any

from django.core.management.base import CommandError

from backoffice.commands import OperatorCommand
from backoffice.kernel.clock import SystemClock
from backoffice.streams.tables.partitions import NotMade, ensure_partitions


class Command(OperatorCommand):
    help = (
        "Make the monthly partitions that are missing now, as beat does every night; exit 1 where one cannot be made."
    )

    def handle(self, **_: Any) -> None:
        try:
            made = ensure_partitions(SystemClock().now())
        except NotMade as reason:
            raise CommandError(
                f"Could not be made: {reason}. Their rows lie in the default partition until they are; end what holds"
                " the table, then type it again."
            ) from reason
        self.stdout.write(f"made: {', '.join(made) or 'none is missing'}")
