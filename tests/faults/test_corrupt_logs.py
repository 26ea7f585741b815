"""A batch of messages that rotted on the broker's disk: its checksum stops the partition, and only that one."""

from pathlib import Path

import pytest
from django.core.management import CommandError

from backoffice.localstack.stack import Stack
from tests.faults.test_lost_logs import STREAM, TOPIC, bets, count, gaps, halt, send, streams
from tests.spine import Spine, until

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("own_stack")]


def _segment(stack: Stack, spine: Spine) -> Path:
    """The file in which Kafka keeps partition 0."""
    (found,) = stack.layout.of("kafka").rglob(f"{spine.prefix}{TOPIC}-0/00000000000000000000.log")
    return found


def _turn_a_byte(file: Path, near: bytes) -> None:
    contents = bytearray(file.read_bytes())
    contents[contents.index(near) + 3] ^= 0xFF
    file.write_bytes(contents)


def test_a_rotten_batch_halts_its_partition_until_it_is_mended_or_given_up(
    faulty_spine: Spine, own_stack: Stack
) -> None:
    spine, kafka = faulty_spine, own_stack.part("kafka")
    for name in ("sound", "rotten", "behind"):
        send(spine, name, 5)
    spine.send_bytes(TOPIC, bets(spine, "elsewhere", 4), partition=1)
    segment = _segment(own_stack, spine)
    kafka.stop()
    whole = segment.read_bytes()
    _turn_a_byte(segment, bets(spine, "rotten", 5)[2][40:80])
    kafka.start()

    with spine.streaming(STREAM):
        cause, offset, reason = halt(spine)
        assert (cause, offset) == ("corrupt log", 5)
        assert "CRC32C" in reason
        until(lambda: count(spine) == 9, "what is sound is stored")
        with pytest.raises(CommandError, match=f"streams skip {STREAM} {TOPIC} 0 --to OFFSET"):
            streams("resume", STREAM, TOPIC, "0")
        assert halt(spine)[:2] == ("corrupt log", 5)

        streams("skip", STREAM, TOPIC, "0", "--to", "10", "--reason", "nothing can be restored")
        until(lambda: count(spine) == 14, "what lies behind it is stored")
    assert gaps() == [(5, 10, "nothing can be restored")]
    assert len(whole) == segment.stat().st_size
