"""What traders and the platform's health ask of the trading tables."""

from datetime import datetime

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery

from backoffice.metrics.silence import Silent, Source

from .models import FeedLimit, Market, SportEvent

# So many silent markets are named; the rest is counted.
NAMED = 5


def feeds(now: datetime) -> list[Source]:
    """The providers with markets that live, and which of their open markets are silent, in play or starting soon.

    Two statements, and one more for each provider with limits of its own or with silent markets. When a provider was
    heard is by its own time (``occurred_at``).
    """
    limits = feed_limits(now)
    found = []
    for provider, limit in limits.items():
        own = Q(provider=provider) if provider else ~Q(provider__in=[name for name in limits if name])
        found += _heard(Market.objects.filter(own, status__in=["open", "suspended"]), limit, now)
    return sorted(found, key=lambda source: source.name)


def feed_limits(now: datetime) -> dict[str, FeedLimit]:
    """The limits valid at a moment, by provider; those of all others under the empty name."""
    dated = FeedLimit.objects.filter(valid_from__lte=now).order_by("provider", "-valid_from").distinct("provider")
    return {limit.provider: limit for limit in dated}


def _heard(live: QuerySet[Market], limit: FeedLimit, now: datetime) -> list[Source]:
    about = SportEvent.objects.filter(id=OuterRef("sport_event_id"))
    starting = about.filter(starts_at__gt=now - limit.given_up_after, starts_at__lte=now + limit.soon)
    kept = live.filter(version_at__gt=now - limit.given_up_after)
    watched = Q(status="open") & (Q(is_in_play=True) | Q(Exists(starting)))
    late = Q(is_in_play=True, version_at__lt=now - limit.in_play) | Q(
        is_in_play=False, version_at__lt=now - limit.before_start
    )
    rows = kept.values_list("provider").annotate(
        heard_at=Max("version_at"), watched=Count("id", filter=watched), silent=Count("id", filter=watched & late)
    )
    silent = kept.filter(watched & late).order_by("version_at", "id")
    return [
        Source(provider, heard_at, limit.any_market, count, late_count, _longest(silent, provider, limit, late_count))
        for provider, heard_at, count, late_count in rows
    ]


def _longest(silent: QuerySet[Market], provider: str, limit: FeedLimit, count: int) -> tuple[Silent, ...]:
    if not count:
        return ()
    event = SportEvent.objects.filter(id=OuterRef("sport_event_id")).values("name")
    first = silent.filter(provider=provider).values_list("name", Subquery(event), "version_at", "is_in_play")[:NAMED]
    return tuple(
        Silent(f"{name}, {event_name}", heard_at, limit.in_play if is_in_play else limit.before_start)
        for name, event_name, heard_at, is_in_play in first
    )
