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
        listing = acts.add_parser("list", help="those that stand open, the oldest first")
        listing.add_argument("--most", type=int, default=100, help="show so many")
        accepting = acts.add_parser("accept", help="end these and their alerts; found again they are told again")
        accepting.add_argument("numbers", type=UUID, nargs="+")
        accepting.add_argument("--reason", required=True, help="why; it stays with the finding")
        add_operator(accepting)

    def handle(self, *, act: str, **options: Any) -> None:
        if act == "list":
            self._list(options["most"])
            return
        for found in handling.accept(options["numbers"], reason=options["reason"], **acting(options)):
            self.stdout.write(f"Accepted: {_shown(found)}")

    def _list(self, most: int) -> None:
        found, total = handling.open_ones(most)
        for one in found:
            self.stdout.write(f"{one.id}  since {one.first_seen_at:%Y-%m-%d %H:%M:%S}  {_shown(one)}")
        if total > len(found):
            self.stdout.write(f"And {total - len(found)} more; --most {total} shows all.")
        if not total:
            self.stdout.write("No finding stands open.")


def _shown(found: Finding) -> str:
    return Difference.from_json(dict(found.difference)).line()
