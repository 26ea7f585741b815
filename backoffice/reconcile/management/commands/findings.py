"""`manage.py findings list|accept`."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from backoffice.commands import OperatorCommand
from backoffice.reconcile import handling
from backoffice.reconcile.differences import Difference
from backoffice.reconcile.models import Finding
from backoffice.streams.management.choosing import add_dry_run
from backoffice.streams.management.operators import acting, add_operator


class Command(OperatorCommand):
    help = "Look at what reconciliation has found and stands open, or accept what nobody can judge any more."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        listing = acts.add_parser("list", help="those that stand open, the oldest first")
        listing.add_argument("--most", type=int, default=100, help="show so many")
        accepting = acts.add_parser("accept", help="end these and their alerts; found again they are told again")
        accepting.add_argument("numbers", type=UUID, nargs="*")
        accepting.add_argument("--reason", required=True, help="why; it stays with the finding")
        add_operator(accepting)
        for act in (listing, accepting):
            act.add_argument("--check", default="", help="those that this check has found")
            act.add_argument("--topic", default="", help="those of this topic")
            act.add_argument("--rests", action="store_true", help="of these only what is not noted one by one")
        add_dry_run(accepting)

    def handle(self, *, act: str, check: str, topic: str, rests: bool, **options: Any) -> None:
        choice = handling.Choice(options.get("numbers", ()), check, topic, only_rests=rests)
        if act == "list":
            self._list(choice, options["most"])
        elif options["dry_run"]:
            for rest in choice.rests().order_by("place"):
                self.stdout.write(f"Chosen beside findings: {rest}")
            self.stdout.write(f"{choice.findings().count():,} findings are chosen; nothing was done.")
        else:
            self._accept(choice, options)

    def _accept(self, choice: handling.Choice, options: dict[str, Any]) -> None:
        found, more = handling.accept(choice, reason=options["reason"], **acting(options))
        for accepted in (*map(_shown, found), *map(str, more)):
            self.stdout.write(f"Accepted: {accepted}")

    def _list(self, choice: handling.Choice, most: int) -> None:
        found, total, more = handling.open_ones(choice, most)
        for one in found:
            self.stdout.write(f"{one.id}  since {one.first_seen_at:%Y-%m-%d %H:%M:%S}  {_shown(one)}")
        if total > len(found):
            self.stdout.write(f"And {total - len(found)} more; --most {total} shows all.")
        for rest in more:
            self.stdout.write(
                f"And {rest}, since {rest.first_seen_at:%Y-%m-%d %H:%M:%S}; they are not noted one by one."
            )
        if not total and not more:
            self.stdout.write("No finding stands open.")


def _shown(found: Finding) -> str:
    return Difference.from_json(dict(found.difference)).line()
