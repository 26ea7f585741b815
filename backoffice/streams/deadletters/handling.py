"""What a person can do with a dead letter: look at it, send it again, mended or as it is, or discard it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.registry import Registry
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Poison, Rejected

from ..models import DeadLetter, Outgoing, TombstoneRetention
from ..outbox.emitting import outgoing
from .copies import LARGEST, fits
from .standing import headers_of


def page(*, state: str = DeadLetter.State.OPEN, topic: str = "", after: int = 0, limit: int = 50) -> list[DeadLetter]:
    """The next dead letters after the id ``after``, oldest first."""
    found = DeadLetter.objects.filter(state=state, id__gt=after).defer("key", "value")
    return list((found.filter(topic=topic) if topic else found).order_by("id")[:limit])


def get(number: int) -> DeadLetter:
    """Raises Rejected when there is none of that number."""
    try:
        return DeadLetter.objects.get(pk=number)
    except DeadLetter.DoesNotExist:
        raise Rejected(f"There is no dead letter {number}; `deadletters list` shows those there are.") from None


def contents(letter: DeadLetter, registry: Registry) -> dict[str, Any] | str:
    """The event in a dead letter as far as it can be read, else why it cannot."""
    try:
        schema_id, body = unframe(bytes(letter.value or b""))
        return decode(body, registry.writer(schema_id).schema)
    except Poison as poison:
        return str(poison)


def replay(number: int, *, actor: Actor, reason: str, now: datetime, event: Mapping[str, Any] | None = None) -> None:
    """Send a dead letter to its topic again, as it is or as the mended ``event`` of the same record.

    Raises:
        Rejected: it is not open any more, the event does not fit its contract, no record type is known for it, or it is
            too large to be sent by the relay; or its topic is compacted, and it is older than what is known to be gone.
    """
    letter = get(number)
    _refuse_too_old(letter, now)
    row: dict[str, Any] = {"topic": letter.topic, "key": letter.key, "value": letter.value, "created_at": now}
    if event is not None:
        row |= _mended(letter, event, now)
    if not fits(row["key"], row["value"]):
        raise Rejected(
            f"It is larger than the {LARGEST:,} bytes that the relay can send; replay it with a mended event, or"
            " produce it anew and discard it."
        )
    with transaction.atomic():
        _claim(letter, DeadLetter.State.REPLAYED, actor, reason, now)
        who = {"replay_of": str(number), "replayed_by": actor.id}
        Outgoing.objects.create(**row | {"headers": who | headers_of(letter.standing_logged, letter.standing_offset)})


def discard(number: int, *, actor: Actor, reason: str, now: datetime) -> None:
    """Close a dead letter without sending it again; it stays in the table with the reason.

    Raises:
        Rejected: it is not open any more.
    """
    with transaction.atomic():
        _claim(get(number), DeadLetter.State.DISCARDED, actor, reason, now)


def _claim(letter: DeadLetter, state: DeadLetter.State, actor: Actor, reason: str, now: datetime) -> None:
    if not reason.strip():
        raise Rejected("Say why; the reason stays with the dead letter.")
    claimed = DeadLetter.objects.filter(pk=letter.pk, state=DeadLetter.State.OPEN).update(
        state=state, resolved_at=now, resolved_by=actor.id, note=reason
    )
    if not claimed:
        raise Rejected(f"Dead letter {letter.pk} is {get(letter.pk).state} already; nothing was done.")


def _refuse_too_old(letter: DeadLetter, now: datetime) -> None:
    """What a compacted topic deleted meanwhile must not come back because nobody knows any more that it is gone."""
    if not TOPICS[letter.topic].compacted:
        return
    logged = datetime.fromtimestamp(letter.standing_logged / 1_000, UTC) if letter.standing_logged else letter.died_at
    kept = TombstoneRetention.objects.filter(valid_from__lte=now).order_by("-valid_from").first()
    if kept is not None and now - logged > kept.replayable_for:
        raise Rejected(
            f"It was logged on {logged:%Y-%m-%d}; of {letter.topic} dead letters can be sent again for"
            f" {kept.replayable_for.days} days, as deletions since are forgotten then. Have its producer tell anew what"
            " is true now, and discard it."
        )


def _mended(letter: DeadLetter, event: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    if not letter.record:
        raise Rejected("Its record type is not known, as nothing of it could be read; produce the event anew.")
    try:
        row = outgoing(letter.record, event, key="", now=now)
    except (ValueError, TypeError, OverflowError) as error:
        raise Rejected(f"The event does not fit {letter.record}: {error}. Correct it and try again.") from error
    return row | {"key": letter.key}
