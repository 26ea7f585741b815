"""What was found beyond what is noted: where it is, so that it is looked at again until none is left.

A partition is read again from the first such offset on, a part with each run; a walk along a table is hurried, and has
to be gone through once more. So what is mended ends, and what is not is noted as soon as there is room. As of findings,
silence ends nothing: what could not be judged there, by the same `Unjudged`, is still to be looked at.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet

from .alerts import alert_of, close_over
from .differences import Difference, Standing, Unjudged
from .kinds import Cut, Kind, Span, Weight
from .messages.log import LAST, Slice
from .models import Rest, Run
from .positions import Position
from .telling import NOT_FOUND, NOT_LOOKED_AT, not_judged, rounds_done

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
            yield _place(part), first, last


def _place(of: Slice | Position) -> str:
    """Of this log: one that is made anew or cut off has other messages at the same offsets."""
    log = f"{of.generation}.{len(of.cuts)}" if of.cuts else str(of.generation)
    return "/".join(map(str, (*of.key, log)))


def as_standing(rest: Rest) -> Standing:
    """As a finding that stands open, of which nobody knows more than this."""
    told = {"stream": rest.stream, "topic": rest.topic, "check": rest.fault}
    place: dict[str, Any] = {"partition": None, "offsets": None, "walk": rest.place}
    if rest.first is not None and rest.last is not None:
        partition = int(rest.place.split("/")[2])
        bounds = rest.first, rest.last, *rest.left.values()
        place = {"partition": partition, "offsets": (min(bounds), max(bounds) - 1), "walk": ""}
    return {name: said for name, said in told.items() if said} | place | {"noted": False}


def all_standing() -> list[Standing]:
    return [as_standing(rest) for rest in Rest.objects.all()]


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
        rest.apart = {}
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
        update_fields=["number", "first", "last", "rounds", "apart", "alert_id", "last_seen_at"],
    )


def again(read: Sequence[Position], most: int) -> list[Again]:
    """Parts of them, of about so many messages in all, as far as these are there and were checked."""
    places = {_place(position): position for position in read}
    found = []
    for rest in Rest.objects.filter(place__in=places, first__isnull=False).order_by("last_seen_at"):
        position = places[rest.place]
        assert rest.first is not None
        assert rest.last is not None
        start, end = max(rest.first, position.low), min(rest.last, _checked(position))
        if start < end:
            found.append((rest, position, start, end))
    each = max(1, most // max(1, len(found[:_AT_ONCE])))
    return [
        Again(rest, position.slice(start, min(end, start + each), is_new=False))
        for rest, position, start, end in found[:_AT_ONCE]
    ]


def _checked(position: Position) -> int:
    """Up to where it was checked, as far as that is stored and there."""
    return min(position.checked.next if position.checked else 0, position.stored)


def move_on(parts: Iterable[Again], unjudged: Collection[Unjudged], now: datetime) -> None:
    """They were read again, and what was found there is noted after this. What could not be judged is read once more
    when all was; what was lost by the log stays as it is, and lets others go before it.
    """
    for one in parts:
        rest, part = one.rest, one.part
        assert rest.first is not None
        assert rest.last is not None
        if rest.first < part.start:
            rest.last_seen_at = now
        else:
            rest.first = part.end
            _leave_span(rest, part, unjudged)
            if rest.first >= rest.last and rest.left:
                rest.first, rest.last, rest.left = rest.left["first"], rest.left["last"], {}
            rest.number = rest.number if rest.first < rest.last else 0
        rest.save(update_fields=["first", "last", "left", "number", "last_seen_at"])


def _leave_span(rest: Rest, part: Slice, unjudged: Iterable[Unjudged]) -> None:
    """Of what was read of it the offsets that could not be judged."""
    whole = part.start, part.end - 1
    looked_at = {**as_standing(rest), "offsets": whole}
    spans = [one.offsets or whole for one in unjudged if one.may_be(looked_at) and one.item not in rest.apart]
    if spans:
        first, last = max(part.start, min(spans)[0]), min(part.end, max(last for _, last in spans) + 1)
        left = rest.left or {"first": first, "last": last}
        rest.left = {"first": min(first, left["first"]), "last": max(last, left["last"])}


def leave_open(
    unjudged: Collection[Unjudged], run: Run, now: datetime, is_mine: Callable[[str], bool]
) -> list[Difference]:
    """Where something could not be judged that may be of a rest, it waits for another look; see `telling`."""
    said = []
    rounds = rounds_done() if unjudged else {}
    for rest in Rest.objects.all() if unjudged else ():
        found = as_standing(rest)
        may_be = [one for one in unjudged if one.may_be(found)] if is_mine(rest.topic) else []
        if not may_be:
            continue
        done = rounds.get(rest.place, 0)
        # Only what was met is of it; a run comes to no row twice, but reads at offsets again.
        is_new = rest.first_seen_at >= (run.started_at if rest.first is None else now)
        rest.apart |= {one.item: done for one in may_be if one.item and (is_new or one.item in rest.apart)}
        left = [one for one in may_be if one.item not in rest.apart]
        if rest.first is None:
            left = _left_by_walk(rest, left, done, full=run.full)
        elif left:
            rest.last_seen_at = now
        rest.save(update_fields=["left", "apart", "last_seen_at"])
        said += [_not_judged(rest, one.why) for one in left[:1]]
    return said


def _left_by_walk(rest: Rest, unjudged: Sequence[Unjudged], rounds: int, *, full: bool) -> list[Unjudged]:
    """Those of them that may be of it, which are noted with the rounds that are done.

    What was judged since the rest was last met is not of it, though something of it may be under way now. So it is only
    the first round that adds to what is left, unless nobody knows what that is; a run over everything has but one.
    """
    is_first = full or rounds <= (rest.rounds or 0) + _ROUNDS or "" in rest.left
    found = [one for one in unjudged if is_first or one.item in rest.left or (rest.left and not one.item)]
    for one in found:
        rest.left |= dict.fromkeys([one.item] if is_first or one.item else rest.left, rounds)
    return found


def leave_unread(since: datetime, read: Sequence[Position], *, full: bool) -> list[Difference]:
    """What is to be said of those that lie where nobody can read; and, of a run over everything, of all that it has
    neither met nor ended since it began.
    """
    low = {_place(position): position.low for position in read}
    found = Rest.objects.filter(last_seen_at__lt=since) if full else Rest.objects.filter(first__isnull=False)
    return [_not_judged(rest, NOT_LOOKED_AT) for rest in found if full or (rest.first or 0) < low.get(rest.place, LAST)]


def _not_judged(rest: Rest, why: str) -> Difference:
    kind = {"weight": rest.weight, "stream": rest.stream, "topic": rest.topic, "record": "", "offsets": None}
    where = {"where": f"more ({rest.weight}) in {rest.place}"}
    return not_judged({**as_standing(rest), **kind, **where}, rest.first_seen_at, why)


def end_read(now: datetime) -> None:
    """Those end of which all was read again, and nothing was found."""
    _end(Rest.objects.filter(first__gte=F("last")), now)


def end_walked(now: datetime) -> None:
    """Those end whose walk was gone through once more, and in which all could be judged by then: one that has no turn
    waits for it.
    """
    done, over = rounds_done(), []
    for rest in Rest.objects.filter(first=None):
        rounds = done.get(rest.place, 0)
        rest.left, rest.apart = (
            {item: at for item, at in things.items() if rounds < at + _ROUNDS} for things in (rest.left, rest.apart)
        )
        if not rest.left and rounds >= (rest.rounds or 0) + _ROUNDS:
            over.append(rest.pk)
        rest.save(update_fields=["left", "apart"])
    _end(Rest.objects.filter(pk__in=over), now)


def end_all(since: datetime, walked: Collection[str], read: Sequence[Position], now: datetime) -> None:
    """Those end that a run over everything has not met since it began, as far as it could look there."""
    is_over = Q(first=None, place__in=walked)
    for position in read:
        is_over |= Q(place=_place(position), first__gte=position.low, last__lte=_checked(position))
    _end(Rest.objects.filter(is_over, left={}, last_seen_at__lt=since), now)


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
