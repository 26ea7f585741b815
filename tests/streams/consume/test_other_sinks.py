"""A sink that keeps its offsets elsewhere than in the tables: halted, led on, with dead letters as any other."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.core.management import CommandError

from tests.faults.test_lost_logs import halt, made_anew, send, streams
from tests.spine import Spine, until
from tests.streams.checkpoints import STREAM, TOPIC, Checkpoints, reading

GAPS = 'SELECT generation, partition, start, "end", reason FROM streams_gap ORDER BY id'
OPEN = "SELECT count(*) FROM streams_halt WHERE resumed_at IS NULL"
LETTERS = 'SELECT stream, generation, partition, "offset", state FROM streams_deadletter ORDER BY generation, "offset"'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.json"


@contextmanager
def counting(spine: Spine, path: Path) -> Iterator[Checkpoints]:
    """A worker that goes on at what the file says."""
    sink = Checkpoints(path, spine.registry)
    with reading(spine, sink):
        yield sink


def count_up_to(spine: Spine, path: Path, expected: int) -> None:
    with counting(spine, path) as sink:
        until(lambda: sink.counts["BetPlaced"] == expected, f"{expected} are counted")


def lose(spine: Spine, before: int, partition: int = 0) -> None:
    """What lies before an offset is gone from the log."""
    place, admin = TopicPartition(f"{spine.prefix}{TOPIC}", partition, before), AdminClient({**settings.KAFKA})
    admin.delete_records([place])[place].result(30)


@pytest.mark.parametrize("runs", [False, True], ids=["while no worker runs", "under a worker that runs"])
def test_a_lost_log_is_halted_and_skipped(spine: Spine, path: Path, runs: bool) -> None:
    send(spine, "first", 10)
    count_up_to(spine, path, 10)
    send(spine, "later", 20)
    lose(spine, 18)

    with counting(spine, path):
        assert halt(spine)[:2] == ("lost log", 10)
        with pytest.raises(CommandError, match=f"streams skip {STREAM} {TOPIC} 0 --to beginning"):
            streams("resume", STREAM, TOPIC, "0")
        if runs:
            streams("skip", STREAM, TOPIC, "0", "--to", "beginning", "--reason", "kept too short")
            until(lambda: not spine.value("SELECT count(*) FROM streams_gap WHERE NOT followed"), "it goes on")
    if not runs:
        streams("skip", STREAM, TOPIC, "0", "--to", "beginning", "--reason", "kept too short")

    count_up_to(spine, path, 22)
    send(spine, "last", 1)
    count_up_to(spine, path, 23)

    assert spine.rows(GAPS) == [(0, 0, 10, 18, "kept too short")]
    assert spine.value("SELECT count(*) FROM streams_halt") == 1
    assert spine.value(OPEN) == 0
    assert spine.value(f"SELECT count(*) FROM streams_offset WHERE stream = '{STREAM}'") == 0


def test_where_a_partition_is_that_is_neither_stored_here_nor_halted_is_not_known(spine: Spine, path: Path) -> None:
    send(spine, "first", 10)
    count_up_to(spine, path, 10)

    with pytest.raises(CommandError, match=r"keeps no offset of bet-events\[0\] .* not halted"):
        streams("skip", STREAM, TOPIC, "0", "--to", "10", "--reason", "no")
    with pytest.raises(CommandError, match=r"no partition bet-events\[7\]"):
        streams("skip", STREAM, TOPIC, "7", "--to", "10", "--reason", "no")

    assert spine.rows(GAPS) == []
    send(spine, "more", 5)
    count_up_to(spine, path, 15)


@pytest.mark.parametrize("length", [4, 25], ids=["shorter", "longer"])
@pytest.mark.parametrize("runs", [False, True], ids=["while no worker ran", "under a worker that runs"])
def test_a_topic_made_anew_is_counted_from_its_beginning(spine: Spine, path: Path, runs: bool, length: int) -> None:
    send(spine, "former", 10)
    send(spine, "former elsewhere", 3, partition=1)
    with counting(spine, path) as sink:
        until(lambda: sink.counts["BetPlaced"] == 13, "the former topic is counted")
        if runs:
            made_anew(spine, 2)
            send(spine, "new", length)
            halt(spine)
    if not runs:
        made_anew(spine, 2)
        send(spine, "new", length)

    with counting(spine, path):
        assert halt(spine)[:2] == ("other topic", 10)
        assert halt(spine, 1)[:2] == ("other topic", 3)
        streams("adopt", STREAM, TOPIC, "--reason", "a mistake of operations")
        until(lambda: not spine.value(OPEN), "it goes on")
    count_up_to(spine, path, 13 + length)

    assert spine.rows(GAPS) == [(0, 0, 10, None, "a mistake of operations"), (0, 1, 3, None, "a mistake of operations")]
    assert spine.value(OPEN) == 0


def test_what_a_new_topic_has_lost_already_is_on_record(spine: Spine, path: Path) -> None:
    send(spine, "former", 10)
    count_up_to(spine, path, 10)
    made_anew(spine, 2)
    send(spine, "new", 12)
    lose(spine, 4)

    with counting(spine, path):
        halt(spine)
    streams("adopt", STREAM, TOPIC, "--reason", "a test")
    lose(spine, 6)
    with counting(spine, path):
        assert halt(spine)[:2] == ("lost log", 4)
        streams("skip", STREAM, TOPIC, "0", "--to", "beginning", "--reason", "a test")
    count_up_to(spine, path, 16)

    assert [gap[:4] for gap in spine.rows(GAPS)] == [(0, 0, 10, None), (0, 1, 0, None), (1, 0, 0, 4), (1, 0, 4, 6)]


def test_a_topic_made_anew_is_adopted_only_when_it_is_known_where_the_sink_was(spine: Spine, path: Path) -> None:
    send(spine, "former", 10)
    count_up_to(spine, path, 10)
    made_anew(spine, 2)
    send(spine, "new", 3)

    with pytest.raises(CommandError, match="Start its workers"):
        streams("adopt", STREAM, TOPIC, "--reason", "too early")

    assert spine.rows(GAPS) == []
    assert spine.value("SELECT generation FROM streams_reading WHERE stream = %s", STREAM) == 0
    with counting(spine, path):
        assert halt(spine)[:2] == ("other topic", 10)


def test_a_bad_message_is_a_dead_letter_of_the_stream_and_of_each_generation(spine: Spine, path: Path) -> None:
    send(spine, "good", 5)
    spine.send_bytes(TOPIC, [b"junk"], partition=0)
    send(spine, "behind", 4)
    count_up_to(spine, path, 9)
    assert spine.rows(LETTERS) == [(STREAM, 0, 0, 5, "open")]

    made_anew(spine, 2)
    spine.send_bytes(TOPIC, [b"junk again"] * 6, partition=0)
    with counting(spine, path):
        halt(spine)
        streams("adopt", STREAM, TOPIC, "--reason", "a test")
        until(lambda: spine.value("SELECT count(*) FROM streams_deadletter") == 7, "all are dead letters")

    copies = spine.rows("SELECT value, headers->>'stream' FROM streams_outbox WHERE topic = %s", f"{TOPIC}.dlq")
    assert sorted(copies) == sorted([(b"junk", STREAM), *[(b"junk again", STREAM)] * 6])
    assert spine.value("SELECT count(*) FROM streams_halt WHERE cause <> 'other topic'") == 0


def test_dead_letters_that_are_told_twice_are_one(spine: Spine, path: Path) -> None:
    """Its process died after the letter was written and before the checkpoint was."""
    spine.send_bytes(TOPIC, [b"junk"], partition=0)
    with counting(spine, path):
        until(path.exists, "the first checkpoint")
    path.unlink()
    send(spine, "good", 3)
    count_up_to(spine, path, 3)

    assert spine.rows(LETTERS) == [(STREAM, 0, 0, 0, "open")]
    assert spine.value("SELECT count(*) FROM streams_outbox WHERE topic = %s", f"{TOPIC}.dlq") == 1


def test_too_many_bad_messages_halt_it_where_it_stands_and_a_person_skips_them(spine: Spine, path: Path) -> None:
    send(spine, "good", 20)
    spine.send_bytes(TOPIC, [b"junk"] * 200, partition=0)
    send(spine, "behind", 6)

    with counting(spine, path) as sink:
        cause, offset, _ = halt(spine)
        assert cause == "bad messages"
        until(lambda: sink.positions_now[0] == offset, "it stands where it is halted")
        streams("skip", STREAM, TOPIC, "0", "--to", "220", "--reason", "a deploy that went wrong")
        until(lambda: sink.counts["BetPlaced"] == 26, "what lies behind is counted")

    assert spine.rows(GAPS) == [(0, 0, offset, 220, "a deploy that went wrong")]
    assert spine.value("SELECT count(*) FROM streams_deadletter") == offset - 20
    assert spine.value("SELECT count(*) FROM streams_halt") == 1
