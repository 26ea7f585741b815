"""What is done to the trading tables other than by events."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from backoffice.kernel.clock import milliseconds
from backoffice.streams.outbox.emitting import emit_tombstone
from backoffice.streams.standing import Standing

from .models import Offer, OfferRetention
from .projections import PRICES
from .selectors import TRADED

# So many in one transaction; what is left goes with the next.
CHUNK = 2_000


def forget_closed_offers(now: datetime) -> int:
    """Say on `market-prices` that offers are gone which closed longer ago than they are kept; returns how many.

    The topic is compacted: Kafka forgets their prices, and so do the tables once the tombstones come back through the
    stream. Until then another call says the same again, which does no harm. A market that is offered anew meanwhile
    keeps that offer.
    """
    kept = OfferRetention.objects.filter(valid_from__lte=now).order_by("-valid_from").first()
    if kept is None:
        return 0
    closed = Offer.objects.exclude(status__in=TRADED).filter(version_at__lt=now - kept.closed_for)
    told, last = 0, ""
    while chunk := _following(closed, last):
        with transaction.atomic():
            for market_id, seen in chunk:
                emit_tombstone(PRICES, key=market_id, seen=seen, now=now)
        told, last = told + len(chunk), chunk[-1][0]
    return told


def _following(offers: QuerySet[Offer], after: str) -> list[tuple[str, Standing]]:
    """The market of each, and where it stands in the log."""
    rows = offers.filter(market_id__gt=after).order_by("market_id")
    places = rows.values_list("market_id", "version_logged_at", "version_offset")[:CHUNK]
    return [(market_id, (milliseconds(at), offset)) for market_id, at, offset in places]
