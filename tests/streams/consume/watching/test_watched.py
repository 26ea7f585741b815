"""What the watch keeps of a lane, and what it forgets: a topic made anew, partitions that it has not."""

from datetime import UTC, datetime

import pytest

from backoffice.contracts.catalogue import TOPICS
from backoffice.kernel.clock import FixedClock
from backoffice.streams.consume.lane import Lane, Limits
from backoffice.streams.consume.watching.stalls import Stored
from backoffice.streams.consume.watching.state import LaneState
from backoffice.streams.consume.watching.watched import Watched
from backoffice.streams.kafka.offsets import Answers

STREAM, TOPIC = "trading", "bet-events"
LIMIT = 60.0
REFUSED = Answers(refused={TOPIC: "bet-events may not be described"})


def watched(state: LaneState | None = None) -> Watched:
    limits = Limits(1, 1, 1, 1, 1, 1, LIMIT)
    return Watched(
        Lane(STREAM, TOPIC, "", {}, limits, FixedClock(datetime(2030, 1, 1, tzinfo=UTC))), state or LaneState()
    )


def ending(*ends: int) -> Answers:
    return Answers(told={TOPIC: {partition: (end,) for partition, end in enumerate(ends)}})


def stored(*offsets: int) -> Stored:
    places = {(STREAM, TOPIC, partition): offset for partition, offset in enumerate(offsets)}
    return Stored(places, frozenset(), {}, {}, None, None)


def look(lane: Watched, at: float, found: Answers, known: Stored | None) -> list[int]:
    """As the watch does; what stands still then."""
    lane.hear_kafka(found, known)
    lane.see(known, at)
    return lane.standing(at)


def knowing(*offsets: int) -> LaneState:
    state = LaneState(owned=frozenset(range(len(offsets))))
    state.know(dict(enumerate(offsets)))
    return state


def test_partitions_that_were_guessed_are_forgotten_when_kafka_tells() -> None:
    lane, guessed = watched(), list(range(TOPICS[TOPIC].partitions))
    look(lane, 0, REFUSED, stored())
    assert look(lane, LIMIT * 2, REFUSED, stored()) == guessed
    assert not lane.is_over(guessed, stored())

    assert look(lane, LIMIT * 2, ending(5, 5), stored(5, 5)) == []
    assert lane.is_over(guessed, stored(5, 5))
    assert lane.since.keys() == {0, 1}


def test_partitions_of_a_former_topic_are_forgotten() -> None:
    lane = watched()
    look(lane, 0, ending(5, 5, 5), stored(5, 5, 3))
    assert look(lane, LIMIT * 2, ending(5, 5, 5), stored(5, 5, 3)) == [2]

    assert look(lane, LIMIT * 2, ending(1), stored(0, 5, 3)) == []
    assert (lane.ends, lane.following) == ({0: 1}, {0: 0})
    assert lane.is_over([2], stored(0, 5, 3))
    assert not lane.is_over([0, 2], stored(0, 5, 3))


def test_a_stall_is_not_over_while_kafka_has_not_told_which_partitions_there_are() -> None:
    lane = watched()
    assert not lane.is_over([6], stored())
    look(lane, 0, REFUSED, stored())
    assert not lane.is_over([6], stored())
    look(lane, 0, Answers(), stored())
    assert not lane.is_over([6], stored())
    look(lane, 0, Answers(untold={TOPIC: {0: "no leader"}}), stored())
    assert lane.is_over([6], stored())
    assert not lane.is_over([0], stored())


def test_a_lane_that_says_how_far_a_former_topic_was_stored_hides_no_work() -> None:
    lane = watched(knowing(10))
    assert look(lane, 0, ending(10), stored(10)) == []

    look(lane, 10, ending(4), stored(0))
    assert lane.lag(0) == 4
    assert look(lane, 10 + LIMIT + 1, ending(4), stored(0)) == [0]


def test_what_postgres_said_stands_while_it_does_not_answer() -> None:
    lane = watched(knowing(10))
    look(lane, 0, ending(4), stored(0))
    look(lane, 2, ending(4), stored(0))
    look(lane, 30, ending(4), None)
    look(lane, 32, ending(4), stored(0))
    assert look(lane, 2 + LIMIT + 1, ending(4), None) == [0]


def test_what_a_lane_says_anew_is_believed_before_and_without_postgres() -> None:
    state = knowing(10)
    lane = watched(state)
    look(lane, 0, ending(20), stored(10))
    state.know({0: 14})
    look(lane, LIMIT, ending(20), stored(10))
    assert lane.following == {0: 14}
    state.know({0: 20})
    assert look(lane, LIMIT * 3, ending(20), None) == []
    assert lane.lag(0) == 0


def test_of_a_sink_that_is_no_table_the_lane_is_believed() -> None:
    state = knowing(10)
    lane = watched(state)
    # Kafka tells later than the lane.
    lane.see(stored(), 0)
    look(lane, 1, ending(10), stored())
    assert lane.lag(0) == 0
    state.know({0: 0})
    look(lane, 2, ending(4), stored())
    assert look(lane, 2 + LIMIT + 1, ending(4), stored()) == [0]


def test_the_log_tells_once_of_each_partition(caplog: pytest.LogCaptureFixture) -> None:
    lane = watched()
    lane.note([1], "one")
    lane.note([1], "again")
    lane.note([0, 1], "both")
    lane.note([0], "again")
    assert caplog.messages == ["one", "both"]
