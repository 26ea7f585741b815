"""What a run reads, step by step, and what of a log that lost something is explained; without servers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.reconcile import positions as positions_
from backoffice.reconcile.differences import Difference, Weight
from backoffice.reconcile.known import Gap, covers, is_in_gap
from backoffice.reconcile.models import Checked
from backoffice.reconcile.positions import Position, told_until
from backoffice.reconcile.runs.plan import Plan, missing
from backoffice.streams.store.projection import STREAMS

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
SKIPPED = Gap(20, 30, "the disk was lost")
CUT = Gap(60, 60, "the disk was lost", stored_until=80)


def checked(until: int, since: int = 0, logged: int = 7) -> Checked:
    return Checked(stream="trading", topic="bet-events", partition=3, since=since, next=until, logged=logged)


def place(**changes: Any) -> Position:
    """Offsets 0 to 99 are in the log and stored; none was checked."""
    usual = Position(STREAMS["trading"], "bet-events", 3, 100, NOON, 0, 100, None)
    return replace(usual, **changes)


@pytest.mark.parametrize(
    ("changes", "new"),
    [
        ({}, (0, 100)),
        ({"checked": checked(40)}, (40, 100)),
        ({"checked": checked(40), "low": 60}, (60, 100)),
        ({"low": 60}, (60, 100)),
        ({"following": 70}, (0, 70)),
        ({"high": 70}, (0, 70)),
        ({"checked": checked(40), "following": 40}, (40, 40)),
        ({"checked": checked(90), "high": 50}, (90, 90)),
        ({"low": 100, "checked": checked(100)}, (100, 100)),
    ],
)
def test_what_is_stored_and_still_there_and_was_never_checked_is_new(
    changes: dict[str, Any], new: tuple[int, int]
) -> None:
    position = place(**changes)

    assert (position.start, position.end) == new


@pytest.mark.parametrize(
    ("changes", "since"),
    [
        ({}, 0),
        ({"checked": checked(40)}, 0),
        ({"checked": checked(40, since=15)}, 15),
        ({"low": 20}, 20),
        ({"checked": checked(40, since=15), "low": 40}, 15),
        ({"checked": checked(40, since=15), "low": 41}, 41),
        ({"checked": checked(20), "low": 30, "gaps": (SKIPPED,)}, 0),
        ({"checked": checked(20), "low": 31, "gaps": (SKIPPED,)}, 31),
        ({"checked": checked(19), "low": 30, "gaps": (SKIPPED,)}, 30),
        ({"low": 30, "gaps": (Gap(0, 30, "gone"),)}, 0),
    ],
)
def test_the_books_begin_where_nothing_behind_is_missing(changes: dict[str, Any], since: int) -> None:
    assert place(**changes).since == since


@pytest.mark.parametrize(
    ("changes", "is_inexact", "lacks_events", "has_every_key"),
    [
        ({}, False, False, True),
        ({"low": 1}, True, True, False),
        ({"high": 99}, True, True, True),
        ({"generation": 1}, True, True, False),
        # The books lack what was skipped as the tables do; what other topics say of it has no answer.
        ({"gaps": (SKIPPED,)}, False, True, True),
        ({"gaps": (SKIPPED, CUT)}, True, True, False),
        ({"gaps": (Gap(60, 60, "nothing"),)}, False, False, True),
        ({"topic": "market-prices"}, True, True, True),
        ({"topic": "market-prices", "low": 5}, True, True, True),
        ({"topic": "market-prices", "generation": 1}, True, True, False),
        ({"untold": "it has no leader", "high": 0}, True, True, True),
    ],
)
def test_sums_over_what_is_not_all_are_a_lower_bound(
    changes: dict[str, Any], is_inexact: bool, lacks_events: bool, has_every_key: bool
) -> None:
    position = place(**changes)

    told = (position.is_inexact, position.lacks_events, position.has_every_key)
    assert told == (is_inexact, lacks_events, has_every_key)


def steps(plan: Plan, *read: Position) -> list[tuple[int, int, int]]:
    return [(slice_.partition, slice_.start, slice_.end) for slice_ in plan.next(list(read))]


def test_a_plan_has_read_nothing_yet_and_knows_a_position_by_its_place() -> None:
    assert (Plan().is_level, Plan().is_done) == (False, False)
    assert place().key == ("trading", "bet-events", 3)


def test_what_fits_into_a_step_is_read_at_once_and_exactly() -> None:
    plan = Plan(step=300)

    assert steps(plan, place(), place(partition=4, following=70), place(partition=5, checked=checked(100))) == [
        (3, 0, 100), (4, 0, 70), (5, 100, 100),
    ]  # fmt: skip
    assert (plan.is_level, plan.is_done) == (True, True)


@pytest.mark.parametrize(("step", "is_level"), [(170, True), (169, False)])
def test_a_step_is_level_up_to_its_last_message(step: int, is_level: bool) -> None:
    plan = Plan(step=step)
    steps(plan, place(), place(partition=4, following=70))

    assert (plan.is_level, plan.is_done) == (is_level, is_level)


def test_more_than_a_step_is_read_in_steps() -> None:
    plan = Plan(step=60)
    one, other = place(), place(partition=4)

    assert steps(plan, one, other) == [(3, 0, 60)]
    assert not plan.is_done
    assert steps(plan, place(checked=checked(60)), other) == [(3, 60, 100), (4, 0, 20)]
    assert steps(plan, place(checked=checked(100)), place(partition=4, checked=checked(20))) == [(4, 20, 80)]
    assert steps(plan, place(checked=checked(100)), place(partition=4, checked=checked(80))) == [
        (3, 100, 100), (4, 80, 100),
    ]  # fmt: skip
    assert (plan.is_level, plan.is_done) == (True, True)


def test_a_run_ends_where_more_came_than_it_has_read() -> None:
    """The streams store faster than it reads: what came meanwhile is the next run's, where a step cannot hold it."""
    plan = Plan(step=60)
    steps(plan, place())

    assert steps(plan, place(checked=checked(60), following=900, high=900)) == [(3, 60, 120)]
    assert not plan.is_done
    assert steps(plan, place(checked=checked(120), following=900, high=900)) == []
    assert (plan.is_level, plan.is_done) == (False, True)


def test_a_run_goes_on_while_less_is_left_each_time_until_a_step_takes_it_all() -> None:
    """It reads faster than the streams store, though more than a step comes while it reads."""
    plan = Plan(step=10)
    at, end = 0, 100
    read: list[int] = []
    while not plan.is_done:
        slices = steps(plan, place(checked=checked(at), following=end, high=end))
        at = slices[-1][2] if slices else at
        read.append(at)
        # Of ten messages that are read, eight come anew.
        end += 8

    assert plan.is_level
    assert read == [*range(10, 470, 10)]


def test_a_run_that_has_gone_on_for_long_reads_only_what_was_stored_when_it_last_looked() -> None:
    """Though less is left each time; by a little that may go on for hours."""
    time_left = iter([True, False])
    plan = Plan(step=10, may_go_on=lambda: next(time_left))
    at, end = 0, 100
    while not plan.is_done:
        slices = steps(plan, place(checked=checked(at), following=end, high=end))
        at = slices[-1][2] if slices else at
        end += 8

    # First up to what was stored when it began, then up to what was while it read that.
    assert (plan.is_level, at) == (False, 180)


def test_a_run_ends_where_as_much_is_left_as_before() -> None:
    plan = Plan(step=10)
    at, end = 0, 40
    while not plan.is_done:
        slices = steps(plan, place(checked=checked(at), following=end, high=end))
        at = slices[-1][2] if slices else at
        end += 10

    assert (plan.is_level, at) == (False, 40)


def test_a_partition_that_came_meanwhile_is_the_next_runs() -> None:
    plan = Plan(step=60)
    steps(plan, place())

    assert steps(plan, place(partition=4), place(checked=checked(60))) == [(3, 60, 100)]


def test_a_slice_says_whose_it_is_and_where_the_log_had_come_to() -> None:
    (first,) = Plan().next([place(generation=2)])
    (later,) = Plan().next([place(checked=checked(40, logged=1_234))])

    assert (first.stream.name, first.topic, first.is_new, first.logged, first.generation) == (
        "trading", "bet-events", True, 0, 2,
    )  # fmt: skip
    assert (later.logged, later.generation) == (1_234, 0)


@pytest.mark.parametrize(
    ("read", "until"),
    [
        ([], None),
        ([place(newest_at=None)], None),
        ([place(newest_at=NOON), place(newest_at=LATER)], LATER),
        ([place(newest_at=NOON), place(newest_at=None)], NOON),
        ([place(newest_at=NOON, following=99), place(newest_at=LATER)], NOON),
        ([place(newest_at=LATER, following=99), place(newest_at=NOON)], LATER),
        ([place(newest_at=NOON, following=9), place(newest_at=LATER, following=9)], NOON),
        ([place(newest_at=None, following=9), place(newest_at=LATER)], None),
        ([place(newest_at=NOON, following=101)], NOON),
        ([place(newest_at=NOON), place(topic="odds-feed", newest_at=None, following=9)], NOON),
        ([place(newest_at=LATER), place(stream=STREAMS["wallet"], newest_at=NOON, following=9)], LATER),
        ([place(newest_at=NOON), place(stream=STREAMS["wallet"], newest_at=LATER)], NOON),
        ([place(newest_at=NOON), place(stream=STREAMS["wallet"], newest_at=None, following=9)], NOON),
    ],
)
def test_a_topic_is_told_as_far_as_its_last_partition_is(read: list[Position], until: datetime | None) -> None:
    assert told_until(read, "trading", "bet-events") == until


def found(position: Position, *, full: bool = False) -> list[tuple[str, tuple[int, int] | None, Weight]]:
    return [(difference.check, difference.offsets, difference.weight) for difference in missing(position, full=full)]


def test_a_whole_log_misses_nothing() -> None:
    assert found(place()) == found(place(checked=checked(40), low=40)) == found(place(high=101)) == []


def test_a_log_that_is_kept_for_ever_has_lost_its_beginning() -> None:
    assert found(place(low=5)) == found(place(low=5), full=True) == [("log_begins_later", (0, 4), Weight.DIFFERENCE)]
    assert found(place(low=50, checked=checked(40))) == [("log_begins_later", (40, 49), Weight.DIFFERENCE)]


@pytest.mark.parametrize("topic", ["odds-feed", "market-prices"])
def test_what_retention_or_compaction_took_is_missed_only_where_a_run_would_have_gone_on(topic: str) -> None:
    was_read = place(topic=topic, low=50, checked=checked(40))

    assert found(place(topic=topic, low=50)) == []
    assert found(was_read, full=True) == []
    assert found(was_read) == [("log_begins_later", (40, 49), Weight.DIFFERENCE)]


def test_the_beginning_that_a_person_gave_up_is_known() -> None:
    gap = ("known_gap", (20, 29), Weight.KNOWN)

    assert found(place(checked=checked(20), low=30, gaps=(SKIPPED,))) == [gap]
    assert found(place(checked=checked(10), low=30, gaps=(SKIPPED,))) == [
        ("log_begins_later", (10, 29), Weight.KNOWN), gap,
    ]  # fmt: skip
    for low in (20, 31):
        assert found(place(checked=checked(10), low=low, gaps=(SKIPPED,))) == [
            ("log_begins_later", (10, low - 1), Weight.DIFFERENCE), gap,
        ]  # fmt: skip


def test_a_log_that_ends_before_what_is_stored_was_made_anew() -> None:
    (difference,) = missing(place(high=70), full=False)

    assert (difference.check, difference.offsets) == ("log_ends_early", (70, 99))
    assert difference.says == "Kafka's log ends at 70, but offsets up to 99 are stored; it was made anew."
    assert (difference.topic, difference.partition, difference.stream, difference.record) == (
        "bet-events", 3, "trading", "",
    )  # fmt: skip


def test_a_gap_is_told_with_its_reason() -> None:
    known: list[Difference] = list(missing(place(gaps=(SKIPPED,)), full=False))

    assert [(each.says, each.weight) for each in known] == [
        (
            "These offsets were never stored, and what is made of them lacks them, which is known: the disk was lost",
            Weight.KNOWN,
        )
    ]


def test_a_lost_end_is_told_with_its_reason() -> None:
    (known,) = missing(place(gaps=(CUT,)), full=False)

    assert (known.check, known.offsets, known.weight) == ("known_cut", (60, 79), Weight.KNOWN)
    assert known.says.endswith("which is known: the disk was lost")


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({}, 0),
        ({"gaps": (SKIPPED,)}, 0),
        ({"gaps": (CUT, SKIPPED)}, 80),
        ({"gaps": (CUT,), "generation": 1}, 2**63 - 1),
    ],
)
def test_what_a_former_log_has_left_may_stand_up_to_where_it_was_stored(changes: dict[str, Any], until: int) -> None:
    (slice_,) = Plan().next([place(**changes)])

    assert slice_.former_until == until


GAPS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 5)).map(lambda at: Gap(at[0], at[0] + at[1], "")), max_size=4
).map(tuple)


def test_gaps_that_follow_one_another_cover_in_whatever_order_they_are() -> None:
    assert covers((Gap(5, 8, ""), Gap(2, 5, "")), 2, 8)
    assert not covers((Gap(6, 8, ""), Gap(2, 5, "")), 2, 8)


@given(GAPS, st.integers(0, 14), st.integers(0, 14))
def test_gaps_cover_what_each_offset_of_lies_in_one(gaps: tuple[Gap, ...], start: int, end: int) -> None:
    lies = {offset for gap in gaps for offset in range(gap.start, gap.end)}

    assert covers(gaps, start, end) == lies.issuperset(range(start, end))
    assert is_in_gap(gaps, start) == (start in lies)


@pytest.mark.parametrize(
    ("changes", "is_unknown"),
    [
        ({}, False),
        ({"low": 20}, True),
        ({"low": 20, "by_the_clock": checked(20)}, False),
        ({"low": 20, "by_the_clock": checked(19)}, True),
        ({"low": 20, "by_the_clock": checked(90, since=5)}, True),
        # What was skipped nobody had to read.
        ({"low": 30, "by_the_clock": checked(20), "gaps": (SKIPPED,)}, False),
        ({"low": 30, "gaps": (Gap(0, 30, "gone"),)}, False),
        # The time of what is lost, or of a former topic, counts on.
        ({"gaps": (CUT,)}, True),
        ({"gaps": (CUT,), "by_the_clock": checked(60)}, False),
        ({"generation": 1}, True),
        ({"generation": 1, "by_the_clock": checked(60)}, False),
    ],
)
def test_the_time_of_a_log_is_known_where_all_before_was_read(changes: dict[str, Any], is_unknown: bool) -> None:
    position = place(**changes)

    assert position.is_from_the_middle is is_unknown
    assert position.slice(position.start, position.end, is_new=True).is_from_the_middle is is_unknown


def test_a_slice_begins_at_the_time_to_which_its_log_had_come_and_knows_how_it_goes_on() -> None:
    marks = ((10, 500), (20, 700), (40, 800), (90, 900))
    position = place(marks=marks, low=20, checked=checked(30, logged=600), by_the_clock=checked(60, logged=850))

    part = position.slice(30, 80, is_new=True)

    assert (part.logged, part.marks) == (700, ((40, 800), (60, 850)))


@pytest.mark.parametrize(
    ("read", "following", "since"), [(checked(80), 60, 0), (checked(79), 60, 60), (checked(50), 50, 60)]
)
def test_where_a_log_was_cut_off_before_all_was_read_the_books_begin_anew(
    read: Checked, following: int, since: int
) -> None:
    positions_._lead_back(read, (SKIPPED, CUT))

    assert (read.next, read.since) == (following, since)
