"""What a person can do with a dead letter: look at it, send it again, mended or as it is, or discard it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.registry import Registry
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Poison, Rejected

from ..chunks import Handled, in_chunks
from ..deletions import DELETIONS
from ..models import DeadLetter, Outgoing, TombstoneRetention
from ..outbox.clashes import end_told
from ..outbox.emitting import outgoing
from ..outbox.outdated import told_since
from ..standing import REPLAY_OF, appended_header, standing_headers
from .copies import LARGEST, fits

_TOO_LARGE = (
    f"It is larger than the {LARGEST:,} bytes that the relay can send; replay it with a mended event, or"
    " produce it anew and discard it."
)

_SUPERSEDED = (
    "Of its key ({}) something newer was told, and of a key {} keeps what comes last. If it is what is true now, have"
    " its producer tell it anew; then discard it."
)


def page(query: Q, *, state: str = DeadLetter.State.OPEN, after: int = 0, limit: int = 50) -> list[DeadLetter]:
    """The next dead letters of those after the id ``after``, oldest first."""
    return list(
        DeadLetter.objects.filter(query, state=state, id__gt=after).defer("key", "value").order_by("id")[:limit]
    )


def count(query: Q) -> int:
    """How many of those are open."""
    return _open(query).count()


def not_open(numbers: Iterable[int]) -> list[str]:
    """Why nothing can be done with those of the numbers that are closed already, or are none."""
    states = dict(DeadLetter.objects.filter(pk__in=list(numbers)).values_list("pk", "state"))
    told = {None: "There is no dead letter {}; `deadletters list` shows those there are."} | {
        state: f"Dead letter {{}} is {state} already; nothing was done." for state in DeadLetter.State.values
    }
    return [told[states.get(each)].format(each) for each in numbers if states.get(each) != DeadLetter.State.OPEN]


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


def replay(
    query: Q, *, actor: Actor, reason: str, now: datetime, event: Mapping[str, Any] | None = None
) -> Iterator[Handled]:
    """Send open dead letters to their topics again, as they are or as the mended ``event`` of the same record.

    Passed over is one that is too large to be sent by the relay, or of whose key a compacted topic was told something
    newer, or may have been: it keeps the last message of a key, which would be the old one.

    Raises:
        Rejected: no reason is given, the event does not fit its contract, or no record type is known for it.
    """
    _must_say_why(reason)

    def send(letters: list[DeadLetter]) -> Handled:
        made = {letter.pk: _again(letter, event, actor, now) for letter in letters}
        made |= _superseded(letters, made)
        fitting = {number: row for number, row in made.items() if isinstance(row, Outgoing)}
        Outgoing.objects.bulk_create(fitting.values())
        _close(list(fitting), DeadLetter.State.REPLAYED, actor, reason, now)
        return Handled(
            list(fitting), [f"Dead letter {number}: {why}" for number, why in made.items() if isinstance(why, str)]
        )

    return in_chunks(_open(query), send)


def discard(query: Q, *, actor: Actor, reason: str, now: datetime) -> Iterator[Handled]:
    """Close open dead letters without sending them again; they stay in the table with the reason.

    Raises:
        Rejected: no reason is given.
    """
    _must_say_why(reason)

    def close(letters: list[DeadLetter]) -> Handled:
        numbers = [letter.pk for letter in letters]
        _close(numbers, DeadLetter.State.DISCARDED, actor, reason, now)
        return Handled(numbers)

    return in_chunks(_open(query).defer("key", "value"), close)


def _open(query: Q) -> QuerySet[DeadLetter]:
    return DeadLetter.objects.filter(query, state=DeadLetter.State.OPEN)


def _must_say_why(reason: str) -> None:
    if not reason.strip():
        raise Rejected("Say why; the reason stays with the dead letter.")


def _close(numbers: list[int], state: DeadLetter.State, actor: Actor, reason: str, now: datetime) -> None:
    """Of rows that are locked and open."""
    DeadLetter.objects.filter(pk__in=numbers).update(
        state=state, resolved_at=now, resolved_by=actor.id, note=reason
    )  # fmt: skip
    end_told(numbers, now)


def _again(letter: DeadLetter, event: Mapping[str, Any] | None, actor: Actor, now: datetime) -> Outgoing | str:
    """Its message, or why it cannot be sent again."""
    if too_old := _too_old(letter, now):
        return too_old
    row: dict[str, Any] = {"topic": letter.topic, "key": letter.key, "value": letter.value, "created_at": now}
    if event is not None:
        row |= _mended(letter, event, now)
    if not fits(row["key"], row["value"]):
        return _TOO_LARGE
    headers = {REPLAY_OF: str(letter.pk), "replayed_by": actor.id}
    headers |= standing_headers(letter.standing_logged, letter.standing_offset)
    return Outgoing(**row | {"headers": headers | appended_header(letter.standing_appended)})


def _too_old(letter: DeadLetter, now: datetime) -> str:
    """What a compacted topic deleted meanwhile must not come back because nobody knows any more that it is gone."""
    if not TOPICS[letter.topic].compacted:
        return ""
    logged = datetime.fromtimestamp(letter.standing_logged / 1_000, UTC) if letter.standing_logged else letter.died_at
    kept = TombstoneRetention.objects.filter(valid_from__lte=now).order_by("-valid_from").first()
    if kept is None or now - logged <= kept.replayable_for:
        return ""
    return (
        f"It was logged on {logged:%Y-%m-%d}; of {letter.topic} dead letters can be sent again for"
        f" {kept.replayable_for.days} days, as deletions since are forgotten then. Have its producer tell anew what"
        " is true now, and discard it."
    )


def _superseded(letters: list[DeadLetter], made: Mapping[int, Outgoing | str]) -> dict[int, str]:
    """Of whose keys the tables have something newer, each with what to do."""
    found: dict[int, str] = {}
    places = {letter.pk: (letter.standing_logged, letter.standing_offset) for letter in letters}
    for topic in {letter.topic for letter in letters} & DELETIONS.keys():
        sent = {each.pk: made[each.pk] for each in letters if each.topic == topic}
        keys = {number: _key(row) for number, row in sent.items() if isinstance(row, Outgoing)}
        newer = told_since(connection.connection, topic, [(key, places[number]) for number, key in keys.items()])
        numbers = list(keys)
        found |= {numbers[position]: _SUPERSEDED.format(keys[numbers[position]], topic) for position in newer}
    return found


def _key(row: Outgoing) -> str:
    return bytes(row.key or b"").decode(errors="replace")


def _mended(letter: DeadLetter, event: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    if not letter.record:
        raise Rejected("Its record type is not known, as nothing of it could be read; produce the event anew.")
    try:
        row = outgoing(letter.record, event, key="", now=now)
    except (ValueError, TypeError, OverflowError) as error:
        raise Rejected(f"The event does not fit {letter.record}: {error}. Correct it and try again.") from error
    topic = TOPICS[letter.topic]
    # By its key a compacted topic knows what it is about; that may be what was wrong.
    return row | {"key": str(event[topic.key]).encode() if topic.compacted else letter.key}
