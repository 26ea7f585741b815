"""``manage.py contracts check``, ``release`` and ``document``; needs neither database nor registry."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from backoffice.commands import OperatorCommand
from backoffice.contracts.definitions import LIBRARY, Library
from backoffice.contracts.documenting import document
from backoffice.contracts.releases import Finding, findings, release
from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Rejected

PAGE = LIBRARY.root.parents[1] / "docs" / "contracts.md"


class Command(OperatorCommand):
    help = "Checks the event schemas against every released version, releases what is new in them, or describes them."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--root", type=Path, default=LIBRARY.root, help="folder with schemas/ and released/")
        what = parser.add_subparsers(dest="what", required=True)
        checking = what.add_parser("check", help="one line for each finding, exit 1 if there is one")
        releasing = what.add_parser("release", help="write the next version of what is new, with an example")
        releasing.add_argument("--record", help="only this record")
        documenting = what.add_parser("document", help="write the page that tells of every topic, record and field")
        for parser_of in (checking, documenting):
            parser_of.add_argument("--page", type=Path, help="where that page stands")

    def handle(self, **options: Any) -> None:
        library = Library(options["root"])
        page = options.get("page") or (PAGE if library == LIBRARY else None)
        if options["what"] == "check":
            self._check(library, page)
        elif options["what"] == "release":
            self._release(library, options["record"])
        elif page is None:
            raise CommandError("Say where the page of other contracts is to stand: --page FILE.")
        else:
            page.write_text(document(library), "utf-8")

    def _check(self, library: Library, page: Path | None) -> None:
        found = findings(library, SystemClock().now())
        # Of schemas that cannot be used there is no page.
        found = found or _of_page(library, page)
        for finding in found:
            self.stdout.write(f"{os.path.relpath(finding.file)}: {finding.field} {finding.reason}")
        if found:
            raise CommandError(f"{len(found)} findings in the contracts.", returncode=1)
        self.stdout.write(f"{len(library.files())} contracts are in order.")

    def _release(self, library: Library, only: str | None) -> None:
        if only and only not in library.files():
            raise CommandError(f"There is no record {only}; it would be schemas/<topic>/{only}.avsc.")
        refused = 0
        for record in [only] if only else library.files():
            try:
                version = release(library, record)
            except Rejected as reason:
                self.stderr.write(str(reason))
                refused += 1
                continue
            if version:
                self.stdout.write(f"{record} version {version.number}: {os.path.relpath(version.schema_file)}")
        if refused:
            raise CommandError(f"{refused} records were not released.")


def _of_page(library: Library, page: Path | None) -> list[Finding]:
    if page is None or (page.exists() and page.read_text("utf-8") == document(library)):
        return []
    return [Finding(page, "The page", "is not what the schemas say; write it anew with `manage.py contracts document`")]
