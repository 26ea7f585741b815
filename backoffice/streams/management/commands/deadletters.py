"""`manage.py deadletters list|show|replay|discard`."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.db.models import Q

from backoffice.commands import OperatorCommand, read_json
from backoffice.kernel.errors import Rejected
from backoffice.streams.chunks import Handled
from backoffice.streams.deadletters import handling as deadletters
from backoffice.streams.management.choosing import add_choice, add_dry_run, carry_out, chosen, must_choose, named
from backoffice.streams.management.lanes import must_be_a_stream, must_be_a_topic
from backoffice.streams.management.operators import acting, add_operator
from backoffice.streams.models import DeadLetter
from backoffice.streams.schemas import our_registry

PLACES = ("stream", "topic", "partition", "record")
LOOKUPS = {name: name for name in PLACES} | {
    "saying": "reason__icontains",
    "since": "died_at__gte",
    "until": "died_at__lt",
}


class Command(OperatorCommand):
    help = "Look at messages that could not be stored, send them again, or discard them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        listing = acts.add_parser("list", help="the open ones, oldest first")
        listing.add_argument("--state", default=DeadLetter.State.OPEN, choices=DeadLetter.State.values)
        listing.add_argument("--after", type=int, default=0, help="go on after this number")
        listing.add_argument("--limit", type=int, default=50)
        acts.add_parser("show", help="one whole").add_argument("number", type=int)
        replaying = acts.add_parser("replay", help="send to the topic again")
        replaying.add_argument("--event", type=Path, help="a JSON file with the mended event to send instead")
        discarding = acts.add_parser("discard", help="close without sending again")
        for act in (replaying, discarding):
            act.add_argument("--reason", required=True, help="why; it stays with the dead letter")
            add_operator(act)
            add_dry_run(act)
        for act in (listing, replaying, discarding):
            add_choice(act, *PLACES, told="died")

    def handle(self, *, act: str, **options: Any) -> None:
        getattr(self, f"_{act}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        found = deadletters.page(
            _query(options), state=options["state"], after=options["after"], limit=options["limit"]
        )  # fmt: skip
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
            if len(options["numbers"]) != 1 or not named(options):
                raise Rejected("A mended event replaces one dead letter; name one number.")
            event = read_json(options["event"])
        query = _query(options)
        self._do(
            "sent again with the next rounds of the relay", query, options, partial(deadletters.replay, event=event)
        )

    def _discard(self, options: dict[str, Any]) -> None:
        self._do("discarded", _query(options), options, deadletters.discard)

    def _do(self, did: str, query: Q, options: dict[str, Any], act: Callable[..., Iterator[Handled]]) -> None:
        must_choose(query)
        if options["dry_run"]:
            self.stdout.write(f"{deadletters.count(query):,} open dead letters are chosen; nothing was done.")
            return
        handled = act(query, reason=options["reason"], **acting(options))
        carry_out(handled, named(options), deadletters.not_open, did, self.stdout.write)


def _query(options: dict[str, Any]) -> Q:
    """Raises Rejected where no such stream or topic is known."""
    if options["stream"] is not None:
        must_be_a_stream(options["stream"])
    if options["topic"] is not None:
        must_be_a_topic(options["topic"])
    return chosen(options, LOOKUPS)


def _text(value: Any) -> str | None:
    """Bytes as text where they are readable, else in hexadecimal."""
    if value is None:
        return None
    try:
        text = bytes(value).decode()
    except UnicodeDecodeError:
        return "0x" + bytes(value).hex()
    return text if text.isprintable() else "0x" + bytes(value).hex()
