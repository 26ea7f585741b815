"""What was found beyond what is noted: where it is, so that it is looked at again until none is left.

A partition is read again from the first such offset on, a part with each run; a walk along a table is hurried, and has
to be gone through once more. So what is mended ends, and what is not is noted as soon as there is room.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, QuerySet

from .alerts import alert_of, close_over
from .kinds import Cut, Kind, Span, Weight
from .known import Place
from .messages.log import Slice
from .models import Rest, Run
from .positions import Position
from .telling import NOT_FOUND, rounds_done

# A round that had begun when it was last met says nothing of it; the one after that does.
_ROUNDS = 2
# So many are read again by a run, those that wait longest first.
_AT_ONCE = 100


@dataclass(frozen=True)
class Again:
    """A part of a rest that is read again."""

    rest: Rest
    part: Slice

    @property
    def kind(self) -> Kind:
        return _kind(self.rest)


@dataclass(frozen=True)
class Noting:
    """The step of a run that has found it, and the slices that were read: ``is_again`` where they are of rests."""

    run: Run
    now: datetime
    slices: Sequence[Slice]
    is_again: bool


def note(cut: Mapping[Cut, Span], noting: Noting) -> None:
    """Within the transaction that has found it."""
    rounds = rounds_done() if cut else {}
    for one, span in cut.items():
        if one.walk:
            _note_walk(one, span.number, rounds.get(one.walk, 0), noting)
            continue
        number = span.number
        for place, first, last in _spans(one, span, noting.slices):
            _note_span(one.kind, place, (first, last), number, noting)
            # Of several slices nobody knows in which they were.
            number = 0


def _spans(cut: Cut, span: Span, slices: Iterable[Slice]) -> Iterator[tuple[str, int, int]]:
    """Place, first offset, and the one behind the last."""
    for part in slices:
        if part.key[:2] != (cut.kind.stream, cut.kind.topic) or cut.partition not in (None, part.partition):
            continue
        first, last = span.offsets or (part.start, part.end - 1)
        first, last = max(first, part.start), min(last + 1, part.end)
        if first < last:
            yield _place(part.key, part.generation), first, last


def _place(key: Place, generation: int) -> str:
    return "/".join(map(str, (*key, generation)))


def _note_walk(cut: Cut, number: int, rounds: int, noting: Noting) -> None:
    rest = _get(cut.kind, cut.walk, noting.now)
    # A run over everything begins from nothing.
    is_more = rest.rounds == rounds and (not noting.run.full or rest.last_seen_at >= noting.run.started_at)
    rest.number = rest.number + number if is_more else number
    rest.rounds = rounds
    _save(rest, noting.now)


def _note_span(kind: Kind, place: str, span: tuple[int, int], number: int, noting: Noting) -> None:
    rest = _get(kind, place, noting.now)
    if rest.first is None or rest.last is None or rest.first >= rest.last:
        rest.first, rest.last = span
        rest.number = number
    else:
        is_apart = (span[1] <= rest.first or rest.last <= span[0]) and not noting.is_again
        rest.number = rest.number + number if is_apart else max(rest.number, number)
        rest.first, rest.last = min(rest.first, span[0]), max(rest.last, span[1])
    _save(rest, noting.now)


def _get(kind: Kind, place: str, now: datetime) -> Rest:
    of = {"weight": kind.weight, "stream": kind.stream, "topic": kind.topic, "fault": kind.check, "place": place}
    new = Rest(**of, number=0, first_seen_at=now, last_seen_at=now)
    return Rest.objects.filter(**of).first() or new


def _kind(rest: Rest) -> Kind:
    return Kind(Weight(rest.weight), rest.stream, rest.topic, rest.fault)


def _save(rest: Rest, now: datetime) -> None:
    kind = _kind(rest)
    if kind.weight is Weight.KNOWN:
        # Nobody has looked what it is.
        rest.number = 0
    elif rest.alert_id is None:
        rest.alert_id = alert_of(kind, now)
    rest.last_seen_at = now
    Rest.objects.bulk_create(
        [rest],
        update_conflicts=True,
        unique_fields=["weight", "stream", "topic", "fault", "place"],
        update_fields=["number", "first", "last", "rounds", "alert_id", "last_seen_at"],
    )


def again(read: Sequence[Position], most: int) -> list[Again]:
    """Parts of them, of about so many messages in all, as far as these are there and were checked."""
    places = {_place(position.key, position.generation): position for position in read}
    found = list(Rest.objects.filter(place__in=places, first__isnull=False).order_by("last_seen_at")[:_AT_ONCE])
    parts = []
    for rest in found:
        position = places[rest.place]
        assert rest.first is not None
        assert rest.last is not None
        checked = min(position.checked.next if position.checked else 0, position.stored)
        start = max(rest.first, position.low)
        end = min(rest.last, checked, start + max(1, most // len(found)))
        if start < end:
            parts.append(Again(rest, position.slice(start, end, is_new=False)))
    return parts


def move_on(parts: Iterable[Again]) -> None:
    """They were read again, and what was found there is noted after this: what was lost by the log stays as it is."""
    for one in parts:
        rest, part = one.rest, one.part
        assert rest.first is not None
        if rest.first < part.start:
            continue
        rest.first = part.end
        rest.number = rest.number if rest.last is not None and rest.first < rest.last else 0
        rest.save(update_fields=["first", "number"])


def end_read(now: datetime) -> None:
    """Those end of which all was read again, and nothing was found."""
    _end(Rest.objects.filter(first__gte=F("last")), now)


def end_walked(moving: Collection[str], now: datetime) -> None:
    """Those end whose walk was gone through once more, or is none that goes on."""
    done = rounds_done()
    over = [
        rest.place
        for rest in Rest.objects.filter(first=None)
        if rest.place not in moving or done.get(rest.place, 0) >= (rest.rounds or 0) + _ROUNDS
    ]
    _end(Rest.objects.filter(first=None, place__in=over), now)


def end_all(since: datetime, walked: Collection[str], read: Sequence[Position], now: datetime) -> None:
    """Those end that a run over everything has not met since it began, as far as it could look there."""
    is_over = Q(first=None, place__in=walked)
    for position in read:
        is_over |= Q(place=_place(position.key, position.generation), first__gte=position.low)
    _end(Rest.objects.filter(is_over, last_seen_at__lt=since), now)


def with_rests() -> set[str]:
    """The walks that have to be gone through once more."""
    return set(Rest.objects.filter(first=None).values_list("place", flat=True))


def drop(over: QuerySet[Rest]) -> set[UUID]:
    """Returns the alerts that told of them."""
    alerts = {alert_id for alert_id in over.values_list("alert_id", flat=True) if alert_id}
    over.delete()
    return alerts


def _end(over: QuerySet[Rest], now: datetime) -> None:
    close_over(drop(over), NOT_FOUND, now)
