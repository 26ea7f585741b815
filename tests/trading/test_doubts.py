"""Which run's word of a market counts."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.conf import settings

from trading.doubts import EVER, NEVER, Doubts, Run, Telling, told_at

FEED = "northfeed"
BEGAN = datetime(2026, 11, 26, 12, tzinfo=UTC)
SOON, LATER = BEGAN + settings.CLOCK_FAST, BEGAN + settings.CLOCK_FAST + timedelta(milliseconds=1)
NEWEST, TENNIS, KILLED = UUID(int=1), UUID(int=2), UUID(int=3)


def last(run: UUID | None, dated_at: datetime, subscription: str = "", provider: str = FEED) -> Telling:
    return Telling(provider, subscription, run, BEGAN, dated_at)


def doubts(at: datetime = BEGAN, whole: int = 5, tennis: int | None = None) -> Doubts:
    """A run of all markets that begins at an offset, and one of those of tennis where it has begun."""
    until = at + settings.CLOCK_FAST
    begun = {(FEED, ""): Run(NEWEST, (at, whole), until)}
    if tennis is not None:
        begun[FEED, "tennis"] = Run(TENNIS, (at, tennis), until)
    return Doubts(begun=begun)


@pytest.mark.parametrize(
    ("told", "is_doubted"),
    [
        (last(NEWEST, NEVER), False),
        (last(NEWEST, LATER), False),
        (last(NEWEST, SOON), False),
        (last(KILLED, BEGAN), True),
        (last(KILLED, SOON), True),
        (last(KILLED, LATER), False),
        (last(None, SOON), True),
        (last(None, LATER), False),
        (last(KILLED, NEVER), True),
        (last(KILLED, BEGAN, "tennis"), True),
        (last(KILLED, BEGAN, provider="courtline"), False),
    ],
)
def test_the_newest_runs_own_word_counts_and_of_others_what_is_later_in_the_log(
    told: Telling, is_doubted: bool
) -> None:
    assert doubts().cover(told) is is_doubted


@pytest.mark.parametrize("at", [BEGAN, NEVER])
def test_a_run_of_some_markets_is_shut_by_one_of_all_that_begins_later_and_by_no_other(at: datetime) -> None:
    assert not doubts(at, whole=5, tennis=6).cover(last(TENNIS, at, "tennis"))
    assert doubts(at, whole=7, tennis=6).cover(last(TENNIS, at, "tennis"))
    assert not doubts(at, whole=7, tennis=6).cover(last(TENNIS, at + (LATER - BEGAN), "tennis"))
    assert doubts(at, whole=5, tennis=6).cover(last(KILLED, at, "tennis"))


def test_a_run_of_some_markets_shuts_none_of_the_others() -> None:
    tennis = Doubts(begun={(FEED, "tennis"): Run(TENNIS, (BEGAN, 6), BEGAN)})

    assert tennis.cover(last(KILLED, BEGAN, "tennis"))
    assert not tennis.cover(last(KILLED, BEGAN, "cricket"))
    assert not tennis.cover(last(KILLED, BEGAN))


def test_whoever_tells_it_a_provider_that_is_suspended_is_not_believed() -> None:
    assert Doubts({FEED: EVER}, doubts().begun).cover(last(NEWEST, LATER))


def test_nobody_knows_what_came_after_a_run_of_which_the_log_does_not_tell_when_it_began() -> None:
    begun = Doubts(begun={(FEED, ""): Run(NEWEST, (BEGAN, 5), EVER)})

    assert begun.cover(last(KILLED, LATER))
    assert not begun.cover(last(NEWEST, NEVER))


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("appended_at", "taken_at", "told"),
    [
        (BEGAN, None, (BEGAN, BEGAN)),
        (BEGAN, LATER, (BEGAN, BEGAN)),
        (SOON, BEGAN, (BEGAN, BEGAN)),
        (LATER, BEGAN, (BEGAN, NEVER)),
        (BEGAN + HOUR, BEGAN, (BEGAN, NEVER)),
        (None, BEGAN, (BEGAN, NEVER)),
        (None, None, (NEVER, NEVER)),
    ],
)
def test_a_market_was_told_when_the_broker_took_it_and_at_the_latest_when_we_read_it(
    appended_at: datetime | None, taken_at: datetime | None, told: tuple[datetime, datetime]
) -> None:
    assert told_at(appended_at, taken_at) == told
