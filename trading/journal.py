"""What happens on the markets and is followed one by one: bets placed, changes of a market's status.

Each reading goes on from the cursor of the one before: whatever became visible since then is in it, and nothing twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from itertools import groupby
from math import prod
from operator import or_

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from backoffice.streams.models import Offset, Reading

from .models import Bet, Leg, Market, Outcome, SportEvent, StatusChange
from .projections import BETS, trading

# More new bets than this are not read one by one; they are counted.
MOST_BETS = 300
LOOKED_BACK = (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1))
# A platform's clock may be a little ahead.
AHEAD = timedelta(minutes=1)

_NEWEST_FIRST = ("-occurred_at", "-id")


@dataclass(frozen=True)
class Positions:
    """The next offset of each partition that was not read yet, and of which topic: one made anew begins at 0."""

    generation: int
    following: dict[int, int]


@dataclass(frozen=True)
class PlacedBet:
    """A bet for a ticker, without its player; ``selection`` is the only leg's, ``odds`` None for a system."""

    id: str
    occurred_at: datetime
    brand: str
    jurisdiction: str
    kind: str
    currency: str
    stake: int
    potential_payout: int
    is_in_play: bool
    is_free_bet: bool
    legs: int
    odds: int | None
    event: str
    market: str
    selection: str


@dataclass(frozen=True)
class PlacedBets:
    """Oldest first; ``skipped`` are older, and were too many. ``positions`` is from where to go on."""

    positions: Positions
    bets: list[PlacedBet]
    skipped: int = 0


def newest_bets(now: datetime, count: int) -> PlacedBets:
    """The last ``count`` of the day.

    Looked for in a minute, then in an hour, then in all of the day: the fewer there are, the less there is to look at.
    """
    positions, bets = _positions(), list[Bet]()
    for within in LOOKED_BACK:
        recent = Bet.objects.filter(occurred_at__gt=now - within, occurred_at__lte=now + AHEAD)
        bets = list(recent.order_by(*_NEWEST_FIRST)[:count])
        if len(bets) == count:
            break
    return PlacedBets(positions, _described(bets))


def bets_since(positions: Positions) -> PlacedBets:
    """Those that were stored since the reading that gave ``positions``, of more than `MOST_BETS` the newest."""
    now = _positions()
    places = _between(positions, now)
    if not places:
        return PlacedBets(now, [])
    found = Bet.objects.filter(reduce(or_, places)).order_by(*_NEWEST_FIRST)
    bets = list(found[:MOST_BETS])
    skipped = found.count() - len(bets) if len(bets) == MOST_BETS else 0
    return PlacedBets(now, _described(bets), skipped)


def _positions() -> Positions:
    """In one statement: with two, the offsets could be of another topic than the generation."""
    reading = Reading.objects.filter(stream=OuterRef("stream"), topic=OuterRef("topic")).values("generation")
    stored = Offset.objects.filter(stream=trading.name, topic=BETS).annotate(of=Coalesce(Subquery(reading), 0))
    rows = stored.values_list("partition", "next", "of")
    return Positions(max((of for *_, of in rows), default=0), {partition: end for partition, end, _ in rows})


def _between(before: Positions, now: Positions) -> list[Q]:
    """Where the bets stand that were stored in between.

    By offset: ids of other platforms do not tell which is newer, and what happened earlier may be stored later.
    """
    if now.generation == before.generation:
        return [
            Q(
                source_generation=now.generation,
                source_partition=partition,
                source_offset__gte=start,
                source_offset__lt=end,
            )
            for partition, end in now.following.items()
            if (start := before.following.get(partition, 0)) != end
        ]
    rest = [
        Q(source_generation=before.generation, source_partition=partition, source_offset__gte=start)
        for partition, start in before.following.items()
    ]
    return rest + [
        Q(source_generation__gt=before.generation, source_partition=partition, source_offset__lt=end)
        for partition, end in now.following.items()
    ]


def _described(bets: list[Bet]) -> list[PlacedBet]:
    rows = Leg.objects.filter(bet_id__in=[bet.id for bet in bets]).order_by("bet_id", "leg_no")
    legs = {bet: list(found) for bet, found in groupby(rows, lambda leg: leg.bet_id)}
    named = _names([found[0] for found in legs.values() if len(found) == 1])
    return [_placed(bet, legs.get(bet.id, []), named) for bet in reversed(bets)]


Names = dict[tuple[str, str], tuple[str, str, str]]


def _names(legs: Iterable[Leg]) -> Names:
    """What the event, market and outcome of each leg are called, as far as the feed has told."""
    legs = list(legs)
    events = SportEvent.objects.in_bulk([leg.sport_event_id for leg in legs])
    markets = Market.objects.in_bulk([leg.market_id for leg in legs])
    outcomes = {
        (row.market_id, row.outcome_id): row.name
        for row in Outcome.with_gone.filter(market_id__in=markets, outcome_id__in=[leg.outcome_id for leg in legs])
    }
    return {
        (leg.market_id, leg.outcome_id): (
            events[leg.sport_event_id].name if leg.sport_event_id in events else "",
            markets[leg.market_id].name if leg.market_id in markets else "",
            outcomes.get((leg.market_id, leg.outcome_id), ""),
        )
        for leg in legs
    }


def _placed(bet: Bet, legs: list[Leg], named: Names) -> PlacedBet:
    event, market, selection = named[legs[0].market_id, legs[0].outcome_id] if len(legs) == 1 else ("", "", "")
    odds = prod(leg.odds for leg in legs) // 1000 ** (len(legs) - 1) if legs and bet.kind != "system" else None
    return PlacedBet(
        str(bet.id), bet.occurred_at, bet.brand, bet.jurisdiction, bet.kind, bet.currency, bet.stake,
        bet.potential_payout, bet.is_in_play, bet.is_free_bet, len(legs), odds, event, market, selection,
    )  # fmt: skip


@dataclass(frozen=True)
class Status:
    """A status that a market took; ``id`` is greater than that of the one before it.

    One that ``is_late`` was stored after a newer update of the market: it had that status, and says nothing of now.
    """

    id: int
    market_id: str
    status: str
    version: int
    changed_at: datetime
    is_late: bool


def newest_statuses(sport_event_id: str, count: int) -> list[Status]:
    """The last ``count`` that markets of the event took, oldest first."""
    return list(map(_status, reversed(_changes(sport_event_id).order_by("-id")[:count])))


def statuses_since(sport_event_id: str, after: int) -> list[Status]:
    """Those with greater ids, oldest first.

    Whoever stores updates of an event has the event's row until the commit, and draws ids after that: what becomes
    visible later has a greater id, through whichever partitions and workers it comes.
    """
    return list(map(_status, _changes(sport_event_id).filter(id__gt=after).order_by("id")))


def _changes(sport_event_id: str) -> QuerySet[StatusChange]:
    return StatusChange.objects.filter(sport_event_id=sport_event_id)


def _status(row: StatusChange) -> Status:
    return Status(row.pk, row.market_id, row.status, row.version, row.version_at, row.is_late)
