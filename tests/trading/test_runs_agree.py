"""The rules of when a market was told, and which runs shut it, say the same in a query as of one row."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings

from trading.doubts import DATED_AT, TOLD_AT, Telling, doubts, is_shut, told_at
from trading.models import FeedRun, Market

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMES = tuple(AT + timedelta(minutes=minutes) for minutes in range(4))
# As far as clocks that are right are apart; and the least that is more.
APART, MORE = settings.CLOCK_FAST, settings.CLOCK_FAST + timedelta(milliseconds=1)
NIL, WHOLE, TENNIS, KILLED = (UUID(int=number) for number in range(4))
# Of a run of all markets and one of some; any id may be that of no run for whoever stores it so.
IDS = ((WHOLE, TENNIS), (NIL, TENNIS), (WHOLE, NIL))


@dataclass(frozen=True)
class Begun:
    """Where a run's beginning stands in the log, and when the broker took it and we read it."""

    place: tuple[datetime, int]
    appended_at: datetime | None
    taken_at: datetime | None


PLACES = ((TIMES[1], 1), (TIMES[1], 2), (TIMES[2], 0))
BEGINNINGS = (
    None,
    *(Begun(place, *times) for place, times in product(
        PLACES, [(TIMES[1], None), (TIMES[2], TIMES[3]), (TIMES[3] + timedelta(hours=1), TIMES[2]), (None, TIMES[1])]
    )),
)  # fmt: skip
TOLD = (
    *((at, None) for at in (None, *TIMES)),
    *((at, TIMES[3]) for at in (None, *TIMES)),
    (TIMES[3], TIMES[2] - timedelta(seconds=1)),
    (TIMES[3] + timedelta(hours=1), TIMES[3]),
    *((at + by, None) for at in TIMES[1:3] for by in (APART, MORE)),
    *((TIMES[3] + timedelta(hours=1), TIMES[2] + by) for by in (APART, MORE)),
)


def markets(provider: str) -> Iterator[Market]:
    """One for each way in which a market can have been told."""
    known: dict[str, Any] = {
        "sport_event_id": "e", "type": "t", "name": "n", "status": "open", "is_in_play": True, "bet_delay": 0,
        "winners": 1, "currency": "EUR", "version": 1, "version_at": AT, "version_logged_at": AT, "version_offset": 0,
    }  # fmt: skip
    ways = product((None, NIL, WHOLE, TENNIS, KILLED), (None, "", "tennis", "cricket"), TOLD)
    for number, (run, subscription, (appended_at, taken_at)) in enumerate(ways):
        yield Market(
            id=f"{provider}/{number}", provider=provider, run=run, subscription=subscription,
            version_appended_at=appended_at, version_taken_at=taken_at, **known,
        )  # fmt: skip


def beginning(provider: str, subscription: str, run: UUID, begun: Begun | None) -> Iterator[FeedRun]:
    if begun is not None:
        yield FeedRun(
            provider=provider, subscription=subscription, run=run, began_at=AT, began_logged_at=begun.place[0],
            began_offset=begun.place[1], began_appended_at=begun.appended_at, began_taken_at=begun.taken_at,
        )  # fmt: skip


@pytest.mark.usefixtures("database")
def test_a_query_shuts_the_same_markets_as_a_page_does() -> None:
    """For each pair of runs, of all of a provider's markets and of some, a provider of its own."""
    for number, (whole, tennis) in enumerate(product(BEGINNINGS, BEGINNINGS)):
        provider = f"provider {number}"
        ids = IDS[number % len(IDS)]
        runs = [*beginning(provider, "", ids[0], whole), *beginning(provider, "tennis", ids[1], tennis)]
        FeedRun.objects.bulk_create(runs)
        Market.objects.bulk_create(markets(provider))

    asked = Market.objects.annotate(told_at=TOLD_AT, dated_at=DATED_AT).annotate(is_shut=is_shut())
    by_query = {
        market.id: (market.told_at, market.dated_at, market.is_shut) for market in asked.order_by("id").iterator()
    }
    begun = doubts()
    for market in Market.objects.order_by("id").iterator():
        times = told_at(market.version_appended_at, market.version_taken_at)
        last = Telling(market.provider, market.subscription or "", market.run, *times)
        assert by_query[market.id] == (*times, begun.shut(last)), (market.id, last)
    assert len(by_query) == len(BEGINNINGS) ** 2 * 5 * 4 * len(TOLD)
    assert {is_shut for _, _, is_shut in by_query.values()} == {True, False}
