"""What traders, the live page and the platform's health ask of the trading tables.

Amounts are minor units, odds thousandths.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, JSONObject
from django.db.models.lookups import GreaterThan

from backoffice.metrics.silence import Silent, Source
from backoffice.streams.clocks import furthest

from .doubts import DATED_AT, OF_ALL, OWN, TOLD_AT, Doubts, Telling, doubts, is_shut, shutting
from .models import FeedLimit, FeedRun, Market, Outcome, SportEvent

# Feeds that tell of real matches; every other provider is the simulator's.
REAL_PROVIDERS = ("betfair",)
TRADED = ("open", "suspended")
_OPEN = Q(status="open")
MOVING = timedelta(minutes=2)
MOST_MARKETS = 400
# So many silent markets are named; the rest is counted.
NAMED = 5


@dataclass(frozen=True)
class Quote:
    """An outcome at its best prices."""

    outcome_id: str
    name: str
    status: str
    back_odds: int | None = None
    back_size: int | None = None
    lay_odds: int | None = None
    lay_size: int | None = None
    last_odds: int | None = None


QUOTED = tuple(each.name for each in fields(Quote))


@dataclass(frozen=True)
class MarketState:
    """A market as its feed last described it."""

    id: str
    name: str
    type: str
    line: str | None
    status: str
    is_in_play: bool
    bet_delay: int
    currency: str
    traded_volume: int | None
    version: int
    version_at: datetime
    version_logged_at: datetime
    version_offset: int
    quotes: tuple[Quote, ...]


@dataclass(frozen=True)
class Featured:
    """The market that a page shows to whoever has chosen none; ``is_real`` where it is no simulated one."""

    market_id: str
    sport_event_id: str
    event_name: str
    competition: str
    sport: str
    provider: str
    starts_at: datetime | None
    is_real: bool


def markets_of(sport_event_id: str, doubted: Doubts | None = None) -> list[MarketState]:
    """The markets of a sport event with their outcomes, in the order of their ids.

    In one statement: with two, the outcomes could be of a later update than their market. Who is ``doubted`` is read
    before it, unless it is given; whoever changes that tells all who watch to read again.
    """
    if doubted is None:
        doubted = doubts()
    outcomes = Outcome.objects.filter(market_id=OuterRef("id")).order_by("outcome_id")
    quotes = ArraySubquery(outcomes.values(quote=JSONObject(**{name: name for name in QUOTED})))
    markets = (
        Market.objects.filter(sport_event_id=sport_event_id)
        .order_by("id")
        .annotate(quotes=quotes, told_at=TOLD_AT, dated_at=DATED_AT)
    )
    return [
        MarketState(
            market.id, market.name, market.type, market.line,
            shown_status(
                market.status,
                doubted.cover(
                    Telling(
                        market.provider, market.subscription or "", market.run, market.told_at, market.dated_at
                    )
                ),
            ),
            market.is_in_play, market.bet_delay, market.currency, market.traded_volume, market.version,
            market.version_at, market.version_logged_at, market.version_offset,
            tuple(Quote(**quote) for quote in market.quotes),
        )
        for market in markets[:MOST_MARKETS]
    ]  # fmt: skip


def shown_status(status: str, is_doubted: bool) -> str:
    """What a market's status comes to when it is not to be believed."""
    return "suspended" if status == "open" and is_doubted else status


def featured_market(now: datetime) -> Featured | None:
    """A real market that moves; else the simulated one that moves most; None where nothing moves."""
    told = Market.objects.filter(status__in=TRADED, version_at__gt=now - MOVING, version_at__lte=furthest(now))
    moving = told.order_by("-is_in_play", "-version")
    market = moving.filter(provider__in=REAL_PROVIDERS).first() or moving.first()
    if market is None:
        return None
    event = SportEvent.objects.filter(id=market.sport_event_id).first()
    if event is None:
        return None
    return Featured(
        market.id, event.id, event.name, event.competition, event.sport, event.provider, event.starts_at,
        event.provider in REAL_PROVIDERS,
    )  # fmt: skip


def feeds(now: datetime) -> list[Source]:
    """The providers with markets that live, and which of their open markets are silent, in play or starting soon.

    Two statements, and one more for each provider with limits of its own or with silent markets. When a provider was
    heard is by its own time (``occurred_at``).
    """
    found = [source for limit, live in _by_limit(now) for source in _heard(live, limit, now)]
    return sorted(found, key=lambda source: source.name)


@dataclass(frozen=True)
class Unheard:
    """A provider of which nothing was stored for longer than ``limit``, although it has open markets."""

    provider: str
    heard_at: datetime
    limit: timedelta
    markets: int


def unheard_providers(now: datetime) -> list[Unheard]:
    """Judged by the limit for markets in play where one of its open markets is, else by that before the start.

    Heard is when the newest update of its undecided markets was told, whatever its own clock says. Open markets
    that start later than ``soon`` are no reason to be heard. A statement for each dated limit that is valid.
    """
    found = []
    for limit, live in _by_limit(now):
        starting = SportEvent.objects.filter(id=OuterRef("sport_event_id"), starts_at__lte=now + limit.soon)
        playing = Q(status="open", is_in_play=True)
        rows = live.values_list("provider").annotate(
            heard_at=Max("told_at"), in_play=Count("id", filter=playing), markets=Count("id", filter=_OPEN),
            due=Count("id", filter=playing | (_OPEN & Q(Exists(starting)))),
        )  # fmt: skip
        for provider, heard_at, in_play, markets, due in rows:
            span = limit.in_play if in_play else limit.before_start
            if due and now - heard_at > span:
                found.append(Unheard(provider, heard_at, span, markets))
    return sorted(found, key=lambda unheard: unheard.provider)


def _by_limit(now: datetime) -> Iterator[tuple[FeedLimit, QuerySet[Market]]]:
    """Each limit that is valid, with the undecided markets of the providers that it is for; without those that are shut
    by a run which has told something since: it may tell no more of them because they are over."""
    telling = Exists(Market.objects.filter(run=OuterRef("run")))
    limits = feed_limits(now)
    for provider, limit in limits.items():
        own = Q(provider=provider) if provider else ~Q(provider__in=[name for name in limits if name])
        undecided = Market.objects.filter(own, status__in=TRADED).annotate(told_at=TOLD_AT, dated_at=DATED_AT)
        yield limit, undecided.filter(~is_shut(by=telling))


def heard_since(provider: str, moment: datetime) -> bool:
    """Whether anything of a provider was told after a moment for certain, whichever clocks say so, and it is stored."""
    return Market.objects.filter(GreaterThan(TOLD_AT, furthest(moment)), provider=provider).exists()


def is_heard_by_now(unheard: Unheard, now: datetime) -> bool:
    """Whether anything was stored since that it told later than all that was known then."""
    newer = {"provider": unheard.provider, "told_at__gt": unheard.heard_at}
    return any(live.filter(**newer).exists() for _, live in _by_limit(now))


def feed_limits(now: datetime) -> dict[str, FeedLimit]:
    """The limits valid at a moment, by provider; those of all others under the empty name."""
    dated = FeedLimit.objects.filter(valid_from__lte=now).order_by("provider", "-valid_from").distinct("provider")
    return {limit.provider: limit for limit in dated}


def _heard(live: QuerySet[Market], limit: FeedLimit, now: datetime) -> list[Source]:
    about = SportEvent.objects.filter(id=OuterRef("sport_event_id"))
    starting = about.filter(starts_at__gt=now - limit.given_up_after, starts_at__lte=now + limit.soon)
    kept = live.filter(version_at__gt=now - limit.given_up_after)
    watched = Q(status="open") & (Q(is_in_play=True) | Q(Exists(starting)))
    late = (
        Q(is_in_play=True, version_at__lt=now - limit.in_play)
        | Q(is_in_play=False, version_at__lt=now - limit.before_start)
        | Q(version_at__gt=furthest(now))
    )
    rows = kept.values_list("provider").annotate(
        heard_at=Max("version_at"), watched=Count("id", filter=watched), silent=Count("id", filter=watched & late)
    )
    silent = kept.filter(watched & late).order_by("version_at", "id")
    return [
        Source(
            provider, heard_at, limit.any_market, count, late_count,
            _longest(silent.filter(provider=provider), limit) if late_count else (),
        )
        for provider, heard_at, count, late_count in rows
    ]  # fmt: skip


def _longest(silent: QuerySet[Market], limit: FeedLimit) -> tuple[Silent, ...]:
    event = SportEvent.objects.filter(id=OuterRef("sport_event_id")).values("name")
    first = silent.values_list("name", Subquery(event), "version_at", "is_in_play")[:NAMED]
    return tuple(
        Silent(f"{name}, {event_name}", heard_at, limit.in_play if is_in_play else limit.before_start)
        for name, event_name, heard_at, is_in_play in first
    )


@dataclass(frozen=True)
class NewestRun:
    """The newest run of a provider's subscription (empty: of all its markets), and how many open markets are ``shut``
    because it has not told them; some of them may be over by now."""

    provider: str
    subscription: str
    run: UUID
    began_at: datetime
    shut: int


def newest_runs() -> list[NewestRun]:
    """In three statements."""
    left = Market.objects.filter(status="open").annotate(dated_at=DATED_AT, scope=Coalesce("subscription", OF_ALL))
    shut_by_own = left.filter(Exists(shutting(OWN))).values_list("provider", "scope").annotate(Count("id"))
    shut_by_all = left.filter(Exists(shutting(OF_ALL))).values_list("provider", OF_ALL).annotate(Count("id"))
    shut = {(provider, scope): count for rows in (shut_by_own, shut_by_all) for provider, scope, count in rows}
    return [
        NewestRun(*of, run.run, run.began_at, shut.get(of, 0))
        for run in FeedRun.objects.order_by("provider", "subscription")
        for of in [(run.provider, run.subscription)]
    ]
