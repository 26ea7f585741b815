"""Logs that are damaged on the broker's disk, under a sink that keeps its offsets elsewhere than in the tables."""

from pathlib import Path

import pytest
from django.core.management import CommandError

from backoffice.localstack.stack import Stack
from tests.faults.test_corrupt_logs import segment, turn_a_byte
from tests.faults.test_lost_logs import halt, send, streams
from tests.spine import Spine, until
from tests.streams.checkpoints import STREAM, TOPIC, Checkpoints, reading

GAPS = 'SELECT start, "end", followed, reason FROM streams_gap ORDER BY id'

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("own_stack")]


def count_up_to(spine: Spine, path: Path, expected: int) -> None:
    sink = Checkpoints(path, spine.registry)
    with reading(spine, sink):
        until(lambda: sink.counts["BetPlaced"] == expected, f"{expected} are counted")


def test_a_rotten_batch_is_halted_resumed_only_when_it_can_be_read_and_given_up(
    faulty_spine: Spine, own_stack: Stack, tmp_path: Path
) -> None:
    spine, kafka, path = faulty_spine, own_stack.part("kafka"), tmp_path / "checkpoint.json"
    for name in ("sound", "rotten", "behind"):
        send(spine, name, 5)
    kafka.stop()
    turn_a_byte(segment(own_stack, spine), 5)
    kafka.start()

    with reading(spine, Checkpoints(path, spine.registry)):
        assert halt(spine)[:2] == ("corrupt log", 5)
        with pytest.raises(CommandError, match=f"streams skip {STREAM} {TOPIC} 0 --to OFFSET"):
            streams("resume", STREAM, TOPIC, "0")
        streams("skip", STREAM, TOPIC, "0", "--to", "10", "--reason", "nothing can be restored")
    count_up_to(spine, path, 10)

    assert spine.rows(GAPS) == [(5, 10, True, "nothing can be restored")]
    assert spine.value("SELECT count(*) FROM streams_halt") == 1


def test_a_log_that_was_cut_off_is_gone_on_with_at_its_end_once(
    faulty_spine: Spine, own_stack: Stack, tmp_path: Path
) -> None:
    spine, kafka, path = faulty_spine, own_stack.part("kafka"), tmp_path / "checkpoint.json"
    send(spine, "kept", 5)
    file = segment(own_stack, spine)
    length = file.stat().st_size
    send(spine, "cut off", 5)
    count_up_to(spine, path, 10)
    kafka.stop()
    with file.open("r+b") as log:
        log.truncate(length)
    kafka.start()

    with reading(spine, Checkpoints(path, spine.registry)):
        assert halt(spine)[:2] == ("lost log", 10)
        with pytest.raises(CommandError, match=f"streams skip {STREAM} {TOPIC} 0 --to end"):
            streams("resume", STREAM, TOPIC, "0")
    streams("skip", STREAM, TOPIC, "0", "--to", "end", "--reason", "a disk was lost")
    assert spine.rows(GAPS) == [(5, 5, False, "a disk was lost")]
    send(spine, "after", 5)
    count_up_to(spine, path, 15)

    # It stands at 10 once more, and is not sent back again.
    assert spine.rows(GAPS) == [(5, 5, True, "a disk was lost")]
    send(spine, "later", 1)
    count_up_to(spine, path, 16)
    assert spine.value("SELECT count(*) FROM streams_halt") == 1
