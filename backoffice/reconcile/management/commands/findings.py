"""`manage.py findings list|accept`."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from backoffice.commands import OperatorCommand
from backoffice.reconcile import handling
from backoffice.reconcile.differences import Difference
from backoffice.reconcile.models import Finding
from backoffice.streams.management.operators import acting, add_operator


class Command(OperatorCommand):
    help = "Look at what reconciliation has found and stands open, or accept what nobody can judge any more."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="those that stand open, the oldest first")
        accepting = acts.add_parser("accept", help="end one and its alert; found again it is told again")
        accepting.add_argument("number", type=UUID)
        accepting.add_argument("--reason", required=True, help="why; it stays with the finding")
        add_operator(accepting)

    def handle(self, *, act: str, **options: Any) -> None:
        if act == "list":
            self._list()
            return
        found = handling.accept(options["number"], reason=options["reason"], **acting(options))
        self.stdout.write(f"Accepted: {_shown(found)}")

    def _list(self) -> None:
        is_any = False
        for found in handling.open_ones():
            is_any = True
            self.stdout.write(f"{found.id}  since {found.first_seen_at:%Y-%m-%d %H:%M:%S}  {_shown(found)}")
        if not is_any:
            self.stdout.write("No finding stands open.")


def _shown(found: Finding) -> str:
    return Difference.from_json(dict(found.difference)).line()
