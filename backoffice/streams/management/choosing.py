"""How a person chooses among thousands: by numbers, by place, by what was said, by time; and what became of them."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from backoffice.kernel.errors import Rejected

from ..chunks import Handled

# So many reasons are told one by one; the others are counted.
TOLD_AT_MOST = 20

Range = tuple[int, int]


def numbers(text: str) -> Range:
    """``7`` or ``7-900``, both ends included."""
    first, _, last = text.partition("-")
    try:
        found = int(first), int(last or first)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is no number and no range such as 7-900") from error
    if found[1] < found[0]:
        raise ArgumentTypeError(f"{text} ends before it begins")
    return found


def moment(text: str) -> datetime:
    """An ISO time; UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is no ISO time such as 2026-01-31T12:00") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def add_choice(parser: ArgumentParser, *places: str, told: str) -> None:
    """Arguments that choose by ``places`` and the rest; ``told`` says of which time --since and --until speak."""
    parser.add_argument("numbers", type=numbers, nargs="*", help="numbers, and ranges such as 7-900")
    for name in places:
        parser.add_argument(f"--{name}", type=int if name == "partition" else str)
    parser.add_argument("--saying", help="part of what `list` says is wrong, in capitals or not")
    parser.add_argument("--since", type=moment, help=f"{told} at this ISO time (UTC) or later")
    parser.add_argument("--until", type=moment, help=f"{told} before this ISO time (UTC)")


def add_dry_run(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only count what is chosen")


def chosen(options: Mapping[str, Any], lookups: Mapping[str, str]) -> Q:
    """The condition on a row; ``lookups`` names that of each argument."""
    query = Q()
    for name, lookup in lookups.items():
        if options[name] is not None:
            query &= Q(**{lookup: options[name]})
    if options["numbers"]:
        query &= _within(options["numbers"])
    return query


def must_choose(query: Q) -> None:
    """Raises Rejected where nothing at all was said: everything is not what a person forgets to name."""
    if not query:
        raise Rejected("Name numbers, or choose by --topic, --saying, --since …; --dry-run counts what that is.")


def named(options: Mapping[str, Any]) -> list[int]:
    """The numbers that were named one by one."""
    return sorted({first for first, last in options["numbers"] if first == last})


def carry_out(
    parts: Iterable[Handled],
    asked: list[int],
    why_not: Callable[[list[int]], list[str]],
    did: str,
    say: Callable[[str], object],
) -> None:
    """Go through the chunks, tell how far it is, and sum up; ``why_not`` tells of numbers that were asked for in vain.

    Raises:
        Rejected: some of it was not done, with why; or there was nothing to do.
    """
    numbers: set[int] = set()
    passed_over: list[str] = []
    for handled in parts:
        numbers.update(handled.done)
        passed_over += handled.passed_over
        say("\n".join([*handled.follows, f"{len(numbers):,} {did}"]))
    # Asked afterwards: somebody else may have been quicker.
    passed_over = [*why_not([number for number in asked if number not in numbers]), *passed_over]
    done = len(numbers)
    if passed_over:
        more = len(passed_over) - TOLD_AT_MOST
        told = [*passed_over[:TOLD_AT_MOST], *([f"… and {more:,} more"] if more > 0 else [])]
        raise Rejected("\n".join([*told, f"{done:,} {did}; {len(passed_over):,} passed over."]))
    if not done:
        raise Rejected("Nothing that is open fits the choice; nothing was done. `list` takes the same choice.")


def _within(ranges: Iterable[Range]) -> Q:
    query = Q(pk__in=[])
    for each in ranges:
        query |= Q(pk__range=each)
    return query
