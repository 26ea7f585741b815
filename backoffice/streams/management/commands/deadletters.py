"""`manage.py deadletters list|show|replay|discard`."""

import getpass
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.kernel.actor import Actor
from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Rejected, Retryable
from backoffice.streams.deadletters import handling as deadletters
from backoffice.streams.models import DeadLetter
from backoffice.streams.schemas import our_registry


class Command(BaseCommand):
    help = "Look at messages that could not be stored, send them again, or discard them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        listing = acts.add_parser("list", help="the open ones, oldest first")
        listing.add_argument("--topic", default="")
        listing.add_argument("--state", default=DeadLetter.State.OPEN, choices=DeadLetter.State.values)
        listing.add_argument("--after", type=int, default=0, help="go on after this number")
        listing.add_argument("--limit", type=int, default=50)
        acts.add_parser("show", help="one whole").add_argument("number", type=int)
        for act, does in (("replay", "send to the topic again"), ("discard", "close without sending again")):
            parser_of = acts.add_parser(act, help=does)
            parser_of.add_argument("numbers", type=int, nargs="+")
            parser_of.add_argument("--reason", required=True, help="why; it stays with the dead letter")
            parser_of.add_argument("--by", default=getpass.getuser(), help="who does it")
            if act == "replay":
                parser_of.add_argument("--event", type=Path, help="a JSON file with the mended event to send instead")

    def handle(self, *, act: str, **options: Any) -> None:
        try:
            getattr(self, f"_{act}")(options)
        except (Rejected, Retryable) as refused:
            raise CommandError(str(refused)) from refused

    def _list(self, options: dict[str, Any]) -> None:
        found = deadletters.page(
            state=options["state"], topic=options["topic"], after=options["after"], limit=options["limit"]
        )
        for letter in found:
            place = f"{letter.topic}[{letter.partition}]@{letter.offset}"
            self.stdout.write(f"{letter.pk:>8}  {letter.died_at:%Y-%m-%d %H:%M:%S}  {place:<36} {letter.reason}")
        if len(found) == options["limit"]:
            self.stdout.write(f"more: deadletters list --after {found[-1].pk}")
        if not found:
            self.stdout.write(f"No {options['state']} dead letters.")

    def _show(self, options: dict[str, Any]) -> None:
        letter = deadletters.get(options["number"])
        registry = our_registry()
        shown = {
            name: getattr(letter, name)
            for name in (
                "id", "state", "stream", "topic", "partition", "offset", "record", "schema_id", "reason", "died_at",
                "resolved_at", "resolved_by", "note",
            )
        }  # fmt: skip
        shown |= {"key": _text(letter.key), "value": _text(letter.value)}
        shown["event"] = deadletters.contents(letter, registry)
        self.stdout.write(json.dumps(shown, default=str, indent=2, ensure_ascii=False))

    def _replay(self, options: dict[str, Any]) -> None:
        event = None
        if options["event"]:
            if len(options["numbers"]) > 1:
                raise Rejected("A mended event replaces one dead letter; name one number.")
            event = json.loads(options["event"].read_text("utf-8"))
        for number in options["numbers"]:
            deadletters.replay(number, event=event, **_who(options))
            self.stdout.write(f"{number}: goes to its topic again with the next round of the relay")

    def _discard(self, options: dict[str, Any]) -> None:
        for number in options["numbers"]:
            deadletters.discard(number, **_who(options))
            self.stdout.write(f"{number}: discarded")


def _who(options: dict[str, Any]) -> dict[str, Any]:
    return {"actor": Actor(options["by"], "operator"), "reason": options["reason"], "now": SystemClock().now()}


def _text(value: Any) -> str | None:
    """Bytes as text where they are readable, else in hexadecimal."""
    if value is None:
        return None
    try:
        text = bytes(value).decode()
    except UnicodeDecodeError:
        return "0x" + bytes(value).hex()
    return text if text.isprintable() else "0x" + bytes(value).hex()
