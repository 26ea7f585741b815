"""What a run by the clock says of its rounds: which walks along tables do not go on, and what takes too long."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from backoffice.streams.clocks import furthest

from ..books import BY_THE_CLOCK
from ..differences import NOT_WALKED, PACE, Difference, Found, Unjudged, Weight
from ..models import Run, WalkedTable
from . import circle
from .walks import Walk, Walker, rows_of, walked_in

# So many runs one after the other leave a walk out before that is told: load has its peaks, and brokers come back.
A_FEW = 3
# A round may be late by as much as it may take.
_LATE = 2
_TOO_MUCH = "the streams store more while a run reads than a step takes"
_UNTOLD = "Kafka did not tell of {}"
_NOT_COUNTED = "Kafka does not tell of all that is read again"
_IN_TWO = "two processes of a run read what they go by, and leave them to one that is alone"


def said_of_rounds(walker: Walker, topics: Collection[str], run: Run, now: datetime) -> Iterator[Found]:
    """Warnings of a run that has done its steps, and has read the topics in this process."""
    slow = list(circle.too_slow(circle.rounds([position for position in walker.read if not position.untold])))
    yield from slow
    if not slow and any(position.untold for position in walker.read):
        yield Unjudged(PACE, _NOT_COUNTED)
    walks = list(walked_in(walker))
    known = _known(walks, now)
    yield from _left_out(walker, topics, walks, list(_that_wait(known, run, now)))
    tables = sorted({walk.table for walk in walks})
    yield from circle.too_slow_along({table: rows_of(walker.checker.cursor, table) for table in tables})
    yield from _late(known, len(walks), now)


def _known(walks: Sequence[Walk], now: datetime) -> "QuerySet[WalkedTable]":
    """As they stand; each of them is known from the first run on, whether it could go or not."""
    model = BY_THE_CLOCK.walks
    new = [model(name=walk.name, round_began_at=now, went_on_at=now) for walk in walks]
    model._default_manager.bulk_create(new, ignore_conflicts=True)
    return model._default_manager.filter(name__in=[walk.name for walk in walks])


def _that_wait(known: "QuerySet[WalkedTable]", run: Run, now: datetime) -> "QuerySet[WalkedTable]":
    """Those that have not gone on in the last runs, the longest first; nor has one that is said to have gone on at a
    time that is still to come."""
    last = Run.objects.filter(full=False, started_at__lte=run.started_at).order_by("-started_at")
    began = list(last.values_list("started_at", flat=True)[:A_FEW])
    if len(began) < A_FEW:
        return known.none()
    return known.filter(Q(went_on_at__lt=began[-1]) | Q(went_on_at__gt=furthest(now))).order_by("went_on_at", "name")


def _left_out(
    walker: Walker, topics: Collection[str], walks: Sequence[Walk], waiting: Sequence[WalkedTable]
) -> Iterator[Difference]:
    """One finding of all of them."""
    by_name = {walk.name: walk for walk in walks}
    told = {one.name: (_moment(one.went_on_at), _why(walker, topics, by_name[one.name])) for one in waiting}
    if told:
        since, _ = next(iter(told.values()))
        whys = "; ".join(dict.fromkeys(why for _, why in told.values()))
        says = f"{len(told)} of {len(walks)} walks along tables do not go on, the first since {since}: {whys}."
        stands = {name: f"since {since}: {why}" for name, (since, why) in told.items()}
        yield Difference(NOT_WALKED, says, postgres=stands, weight=Weight.WARNING)


def _late(known: "QuerySet[WalkedTable]", walks: int, now: datetime) -> Iterator[Difference]:
    """One finding of the rounds that should have ended long ago, whatever has kept them."""
    within = circle.of_rows().within
    late = list(known.filter(round_began_at__lt=now - _LATE * within).order_by("round_began_at", "name"))
    if late:
        says = (
            f"{len(late)} of {walks} rounds along tables go on for more than {_LATE} times the"
            f" {within / timedelta(days=1):g} days that one may take, the first since"
            f" {_moment(late[0].round_began_at)}: let a run walk further, or run it more often."
        )
        stands = {walk.name: f"since {_moment(walk.round_began_at)}" for walk in late}
        yield Difference(PACE, says, where="rounds", postgres=stands, weight=Weight.WARNING)


def _why(walker: Walker, topics: Collection[str], walk: Walk) -> str:
    mine = [position for position in walker.read if position.key[:2] in walk.sources]
    if untold := [f"{one.topic}[{one.partition}]" for one in mine if one.untold]:
        return _UNTOLD.format(", ".join(untold))
    is_shared = len({one.topic in topics for one in mine}) > 1
    return _IN_TWO if is_shared else _TOO_MUCH


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
