"""Which rows that only some events leave are held against the message at their place, and which cannot be."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from backoffice.reconcile.checks.accounting import FROM_THE_MIDDLE, Accounted
from backoffice.reconcile.checks.comparing import Stretch
from backoffice.reconcile.checks.rows import FROM_NOWHERE
from backoffice.reconcile.checks.traces import ALTERED, check_places, check_traces
from backoffice.reconcile.differences import Difference
from backoffice.reconcile.messages.log import Chunk, Slice
from backoffice.reconcile.messages.reading import Events
from backoffice.streams.store.projection import STREAMS
from trading.models import StatusChange
from trading.reconciled import TRADING

(TRACE,) = TRADING.traces
AT = datetime(2026, 3, 1, tzinfo=UTC)
MICROSECONDS = int(AT.timestamp()) * 1_000_000
EVENT = {
    "market_id": "1x2", "sport_event_id": "match-1", "version": 3, "status": "suspended", "at": MICROSECONDS,
    "occurred_at": MICROSECONDS, "logged_at": MICROSECONDS, "logged_offset": 5,
}  # fmt: skip
PLACE = Slice(STREAMS["trading"], "odds-feed", 1, 0, 10, is_new=True, generation=2)


@pytest.fixture(autouse=True)
def row(house: str) -> None:
    """A row of the offset 5 of partition 1 in the topic's generation 2."""
    StatusChange.objects.all().delete()
    StatusChange.objects.create(
        market_id="1x2", sport_event_id="match-1", version=3, version_at=AT, version_logged_at=AT, version_offset=5,
        status="suspended", source_generation=2, source_partition=1, source_offset=5,
    )  # fmt: skip


def told(place: Slice = PLACE, withheld: dict[int, str] | None = None, **changes: Any) -> list[str]:
    """What is said of the row where its message says this; with ``gone`` there is no such message."""
    events = {} if changes.pop("gone", False) else {"MarketUpdate": Events([5], [EVENT | changes])}
    chunk = Chunk(place, place.start, place.end, withheld=withheld or {})
    with connection.cursor() as cursor:
        found = check_traces(cursor, chunk, TRACE, Accounted(events=events))
        return [one.says if isinstance(one, Difference) else one.why for one in found]


def test_a_row_is_what_the_message_at_its_place_says() -> None:
    assert told() == []
    assert told(status="open") == told(market_id="2") == told(logged_at=MICROSECONDS + 1) == [ALTERED]
    assert told(gone=True) == [FROM_NOWHERE]


@pytest.mark.parametrize("other", [{"generation": 1}, {"generation": 3}, {"partition": 0}, {"start": 6}, {"end": 5}])
def test_another_place_says_nothing_of_it(other: dict[str, Any]) -> None:
    assert told(replace(PLACE, **other), gone=True) == []


def test_nothing_is_held_against_it_where_its_message_cannot_be_compared() -> None:
    assert told(withheld={5: "ZeroDivisionError"}, gone=True) == []
    assert told(withheld={4: "ZeroDivisionError"}, gone=True) == [FROM_NOWHERE]


def test_of_an_end_that_the_log_has_lost_only_what_came_again_is_compared() -> None:
    lost = replace(PLACE, cuts=((1, 6),))

    assert told(lost, gone=True) == told(lost, market_id="2") == told(lost, logged_at=MICROSECONDS + 1) == []
    assert told(lost, status="open") == [ALTERED]
    assert told(replace(PLACE, cuts=((1, 5),)), gone=True) == [FROM_NOWHERE]


@pytest.mark.parametrize("again", [replace(PLACE, is_new=False), replace(PLACE, is_from_the_middle=True)])
def test_who_reads_from_the_middle_of_a_log_knows_the_least_that_a_time_can_be(again: Slice) -> None:
    earlier: dict[str, Any] = {"logged_at": MICROSECONDS - 7, "at": MICROSECONDS - 7}

    assert told(again, **earlier) == [FROM_THE_MIDDLE], "not judged"
    assert told(again) == []
    assert told(again, **earlier, status="open") == [ALTERED]
    assert told(again, **earlier, occurred_at=MICROSECONDS - 9) == [ALTERED]
    assert told(PLACE, **earlier) == [ALTERED]
    assert told(again, logged_at=MICROSECONDS + 7) == [ALTERED]


@pytest.mark.parametrize(
    ("generation", "ends", "is_told"),
    [
        (2, {1: 6}, False), (2, {0: 9, 1: 5}, True), (2, {0: 9}, True), (2, {}, True), (3, {}, False),
        (1, {1: 6}, True),
    ],
)  # fmt: skip
def test_a_place_at_which_nothing_can_be_stored_is_named(generation: int, ends: dict[int, int], is_told: bool) -> None:
    with connection.cursor() as cursor:
        found = list(check_places(cursor, TRACE, Stretch(None, None), generation, ends))

    assert [one.says for one in found if isinstance(one, Difference)] == [FROM_NOWHERE] * is_told
