"""What is made of what the client answers about the offsets of a partition."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from confluent_kafka import OFFSET_INVALID, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from backoffice.streams.kafka import offsets
from tests.spine import Spine

TOPIC = "game-rounds"


class Answering:
    """A client that knows one topic, and of each of its partitions one offset."""

    def __init__(self, *told: int) -> None:
        self._told = told

    def list_topics(self, **_: Any) -> Any:
        partitions = {at: SimpleNamespace(id=at, leader=3, replicas=[3]) for at in range(len(self._told))}
        return SimpleNamespace(topics={TOPIC: SimpleNamespace(partitions=partitions)})

    def list_offsets(self, asked: dict[TopicPartition, OffsetSpec], **_: Any) -> offsets.Asked:
        found: offsets.Asked = {place: Future() for place in asked}
        for place, future in found.items():
            future.set_result(cast(Any, SimpleNamespace(offset=self._told[place.partition])))
        return found


def asked(*told: int) -> offsets.Answers:
    earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
    return offsets.ask(cast(AdminClient, Answering(*told)), [TOPIC], [earliest], 1.0)


def test_an_answer_without_an_offset_is_no_place_in_a_log() -> None:
    """The client gives it, without an error, of a leader that dies while it is asked."""
    found = asked(5, OFFSET_INVALID, 7)

    assert found.told == {TOPIC: {0: (5,), 2: (7,)}}
    assert found.untold == {
        TOPIC: {1: f"partition 1 of {TOPIC} is led by broker 3, which does not answer: see whether that runs"}
    }


def test_that_nothing_was_logged_since_a_moment_is_an_answer() -> None:
    assert asked(-1).told == {TOPIC: {0: (-1,)}}


@pytest.mark.parametrize(
    "kept",
    [
        "INSERT INTO streams_offset (stream, topic, partition, next, updated_at)"
        " VALUES ('wallet', 'game-rounds', 0, -1001, now())",
        'INSERT INTO streams_halt (stream, topic, partition, "offset", cause, reason, resumed_by, halted_at)'
        " VALUES ('wallet', 'game-rounds', 0, -1001, 'lost log', '', '', now())",
    ],
)
def test_no_stream_is_at_a_place_that_no_log_has(spine: Spine, kept: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        spine.rows(kept)
