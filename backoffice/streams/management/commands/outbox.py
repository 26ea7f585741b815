"""`manage.py outbox list|retry|discard`."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.db.models import Q

from backoffice.commands import OperatorCommand
from backoffice.streams.chunks import Handled
from backoffice.streams.clocks import PostgresClock
from backoffice.streams.management.choosing import add_choice, add_dry_run, carry_out, chosen, must_choose, named
from backoffice.streams.management.operators import acting, add_operator
from backoffice.streams.outbox import handling

PLACES = ("topic", "record")
LOOKUPS = {name: name for name in PLACES} | {
    "saying": "last_error__icontains",
    "since": "held_since__gte",
    "until": "held_since__lt",
}


class Command(OperatorCommand):
    help = "Look at messages that cannot be sent to Kafka, have them tried at once, or discard them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        listing = acts.add_parser("list", help="the first held message of each key, those held longest first")
        listing.add_argument("--limit", type=int, default=50)
        retrying = acts.add_parser("retry", help="try at once")
        discarding = acts.add_parser("discard", help="never send; its key goes on with the next one")
        discarding.add_argument("--reason", required=True, help="why; it stays with the message")
        add_operator(discarding)
        for act in (listing, retrying, discarding):
            add_choice(act, *PLACES, told="held since")
        for act in (retrying, discarding):
            add_dry_run(act)

    def handle(self, *, act: str, **options: Any) -> None:
        getattr(self, f"_{act}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        found = handling.held_keys(chosen(options, LOOKUPS), limit=options["limit"])
        for held in found:
            row = held.first
            whole = ", all of it" if row.holds_topic else ""
            self.stdout.write(
                f"{row.pk:>8}  since {row.held_since:%Y-%m-%d %H:%M:%S}  {row.record or 'bytes'} to {row.topic}{whole}"
                f"  {held.behind:,} behind it  {row.attempts} attempts, next {row.next_attempt_at:%H:%M:%S}"
                f"  {row.last_error}"
            )
        if not found:
            self.stdout.write("No message is held.")

    def _retry(self, options: dict[str, Any]) -> None:
        act = partial(handling.retry, now=PostgresClock().now())
        self._do("tried with the next rounds of the relay", options, act, first=True)

    def _discard(self, options: dict[str, Any]) -> None:
        act = partial(handling.discard, reason=options["reason"], **acting(options))
        self._do("discarded", options, act, first=False)

    def _do(self, did: str, options: dict[str, Any], act: Callable[[Q], Iterator[Handled]], *, first: bool) -> None:
        query = chosen(options, LOOKUPS)
        must_choose(query)
        if options["dry_run"]:
            self.stdout.write(f"{handling.count(query, first=first):,} held messages are chosen; nothing was done.")
            return
        carry_out(act(query), named(options), partial(handling.not_held, first=first), did, self.stdout.write)
