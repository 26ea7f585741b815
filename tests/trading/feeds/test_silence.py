"""When nothing is heard: whether the provider is gone, or has nothing to say."""

from collections.abc import Iterable

import pytest

from trading.feeds.silence import Watch

BEAT = 5_000
# Messages in a row, a heartbeat or less apart, that make a feed busy.
BUSY = 100
DAY = 86_400_000


def gone(times: Iterable[int], *, beats: Iterable[int] = (), heartbeat: int | None = BEAT) -> list[int]:
    """Since when it was gone, each time that it was, where messages come at these times; heartbeats among them."""
    watch, found = Watch(), []
    for at in sorted({*times, *beats}):
        since = watch.hear(at, heartbeat, is_heartbeat=at in set(beats))
        found += [] if since is None else [since]
    return found


def test_a_feed_that_sends_heartbeats_owes_them() -> None:
    assert gone([0, 40_000, 90_000], beats=[5_000]) == [15_000, 50_000]
    assert gone([0, 15_000, 25_000], beats=[5_000]) == []
    assert gone([0, 15_001], beats=[5_000]) == [15_000]


def test_the_heartbeat_that_ends_a_silence_tells_that_they_were_owed() -> None:
    assert gone([0], beats=[40_000]) == [10_000]


def test_a_slow_feed_without_heartbeats_is_never_called_silent() -> None:
    assert gone(range(0, 10_000_000, 7_000)) == []
    assert gone(range(0, 100_000_000, 60_000)) == []


def test_a_feed_that_was_never_still_owed_none_yet() -> None:
    busy = range(0, BUSY * BEAT + 1, BEAT)

    assert gone([*busy, busy[-1] + 60_000]) == [busy[-1] + 10_000]
    assert gone([*busy[1:], busy[-1] + 60_000]) == []
    assert gone([*busy, busy[-1] + 2 * BEAT]) == []


def test_what_goes_on_after_a_pause_without_heartbeats_sends_none() -> None:
    """It was busy, paused, and was busy again: from then on pauses mean nothing."""
    first = range(0, 1_000 * BUSY, 1_000)
    second = range(first[-1] + 60_000, first[-1] + 60_000 + 1_000 * BUSY + 1_000, 1_000)

    assert gone([0, *(30_000 + at for at in first), 30_000 + first[-1] + 60_000]) == []
    assert gone([*first, 1_000 * BUSY, *second, second[-1] + 60_000]) == [1_000 * BUSY + 10_000]


def test_where_no_heartbeat_was_agreed_silence_means_nothing() -> None:
    assert gone([0, 1_000_000], beats=[5_000], heartbeat=None) == []


@pytest.mark.parametrize(
    ("times", "back", "last"), [([0, 10, 5, 20], 1, 20), ([DAY * 2, 5, 20], 1, 20), ([0, 0], 0, 0)]
)
def test_a_clock_that_goes_back_is_counted(times: list[int], back: int, last: int) -> None:
    watch = Watch()
    for at in times:
        watch.hear(at, BEAT, is_heartbeat=False)

    assert (watch.backwards, watch.last) == (back, last)


def test_time_that_went_back_is_no_silence() -> None:
    watch = Watch()
    told = [watch.hear(at, BEAT, is_heartbeat=True) for at in (0, 20_000, 1_000, 21_000, 2 * DAY, 30_000, 31_000)]

    assert told == [None, 10_000, None, None, 31_000, None, None]


@pytest.mark.parametrize(("in_a_row", "since"), [(BUSY - 1, False), (BUSY, True)])
def test_a_short_pause_begins_the_count_anew(in_a_row: int, since: bool) -> None:
    """Longer than a heartbeat, and not as long as two."""
    start = [0, 1_000, 9_000]
    row = range(9_000, 9_000 + 1_000 * in_a_row + 1, 1_000)

    assert gone([*start, *row, row[-1] + 60_000]) == [row[-1] + 10_000] * since


@pytest.mark.parametrize(("back", "last"), [(DAY, 3 * DAY), (DAY + 1, 2 * DAY - 1)])
def test_a_clock_that_leaps_back_a_day_is_followed(back: int, last: int) -> None:
    watch = Watch()
    for at in (3 * DAY, 3 * DAY - back):
        watch.hear(at, BEAT, is_heartbeat=False)

    assert (watch.backwards, watch.last) == (1, last)
