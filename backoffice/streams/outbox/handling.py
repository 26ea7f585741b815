"""What a person can do about messages that cannot be sent: look at them, have them tried at once, or discard them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, Q, QuerySet, When

from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Rejected

from ..chunks import Handled, in_chunks
from ..models import DeadLetter, Outgoing
from ..standing import REPLAY_OF
from .clashes import tell_again

# More messages behind a held one than this are not counted one by one.
MANY = 10_000

# As the relay locks them.
_ORDER = ("position", "id")
_HELD = Outgoing.objects.filter(sent_at=None, discarded_at=None, held_since__isnull=False)


@dataclass(frozen=True)
class HeldKey:
    """The first message of a key (or of a topic) that cannot be sent, and how many of 10,000 wait behind it."""

    first: Outgoing
    behind: int


def held_keys(query: Q, *, limit: int = 50) -> list[HeldKey]:
    """Those held longest first, of the keys whose first message is one of those."""
    first = _firsts(query).defer("value").order_by("held_since", "id")[:limit]
    return [HeldKey(row, _behind(row)) for row in first]


def _behind(row: Outgoing) -> int:
    others = Q(topic=row.topic) if row.holds_topic else Q(key_hash=row.key_hash)
    return _HELD.filter(others)[: MANY + 1].count() - 1


def count(query: Q, *, first: bool) -> int:
    """How many of those are held; with ``first`` only the first ones of their keys."""
    return (_firsts(query) if first else _HELD.filter(query)).count()


def not_held(numbers: Iterable[int], *, first: bool) -> list[str]:
    """Why nothing can be done with those of the numbers that are not held, or not the ``first`` of their keys."""
    named = Q(pk__in=list(numbers))
    held = set((_firsts(named) if first else _HELD.filter(named)).values_list("pk", flat=True))
    return [_why_not(number) for number in numbers if number not in held]


def retry(query: Q, *, now: datetime) -> Iterator[Handled]:
    """Have held messages tried with the relay's next rounds; those behind one are tried after it."""

    def hurry(rows: list[Outgoing]) -> Handled:
        numbers = [row.pk for row in rows]
        Outgoing.objects.filter(pk__in=numbers).update(next_attempt_at=now)
        return Handled(numbers)

    return in_chunks(_firsts(query).defer("value"), hurry, lock_order=_ORDER)


def discard(query: Q, *, actor: Actor, reason: str, now: datetime) -> Iterator[Handled]:
    """Never send held messages; they stay in the table with the reason, and their keys go on with the next ones.

    A dead letter that was to be sent again by one of them is open again. While the relay tries one it is not known yet
    whether there is anything to discard; that is waited for.

    Raises:
        Rejected: no reason is given.
    """
    if not reason.strip():
        raise Rejected("Say why; the reason stays with the message.")
    turn = Case(When(next_attempt_at__isnull=False, then=now), default=None)

    def give_up(rows: list[Outgoing]) -> Handled:
        numbers = [row.pk for row in rows]
        Outgoing.objects.filter(pk__in=numbers).update(
            discarded_at=now, discarded_by=actor.id, discard_reason=reason, next_attempt_at=turn
        )
        return Handled(numbers, follows=_reopened(rows, now))

    return in_chunks(_HELD.filter(query).defer("value"), give_up, lock_order=_ORDER)


def _reopened(rows: list[Outgoing], now: datetime) -> list[str]:
    """Open the dead letters again that were to be sent by these; why they were to be stays with them."""
    replays = {int(row.headers[REPLAY_OF]): row.pk for row in rows if REPLAY_OF in row.headers}
    replayed = DeadLetter.objects.filter(pk__in=list(replays), state=DeadLetter.State.REPLAYED)
    letters = list(replayed.order_by("pk").select_for_update().values_list("pk", flat=True))
    tell_again(letters, now)
    DeadLetter.objects.filter(pk__in=letters).update(state=DeadLetter.State.OPEN, resolved_at=None, resolved_by="")
    return [
        f"Dead letter {letter} is open again, as message {replays[letter]}, by which it was to be sent, is discarded;"
        " replay it, or discard it with `deadletters`."
        for letter in letters
    ]


def _firsts(query: Q) -> QuerySet[Outgoing]:
    return _HELD.filter(query, next_attempt_at__isnull=False)


def _why_not(number: int) -> str:
    row = Outgoing.objects.filter(pk=number).defer("value").first()
    if row is None:
        return f"There is no message {number} in the outbox; `outbox list` shows those that are held."
    if row.discarded_at is not None:
        return f"Message {number} was discarded by {row.discarded_by} already; nothing was done."
    if row.sent_at is not None:
        return f"Message {number} was sent at {row.sent_at:%Y-%m-%d %H:%M:%S} UTC; nothing was done."
    if holder := _HELD.filter(topic=row.topic, holds_topic=True).values_list("pk", flat=True).first():
        return f"Message {number} waits with all of {row.topic} behind message {holder}; try that one."
    if row.held_since is not None:
        first = _HELD.filter(key_hash=row.key_hash).order_by("position", "id").values_list("pk", flat=True).first()
        return f"Message {number} waits behind message {first}, which is to be sent first; try that one."
    return f"Message {number} is not held; the relay sends it with its next rounds."
