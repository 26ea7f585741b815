"""A batch of messages that rotted on the broker's disk: its checksum stops the partition, and only that one."""

from pathlib import Path

import pytest
from django.core.management import CommandError

from backoffice.localstack.stack import Stack
from tests.faults.test_lost_logs import STREAM, TOPIC, bets, count, gaps, halt, send, streams
from tests.spine import Spine, until

# Of a batch, in bytes; the messages follow.
HEAD = 61

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("own_stack")]


def segment(stack: Stack, spine: Spine) -> Path:
    """The file in which Kafka keeps partition 0."""
    (found,) = stack.layout.of("kafka").rglob(f"{spine.prefix}{TOPIC}-0/00000000000000000000.log")
    return found


def turn_a_byte(file: Path, offset: int) -> None:
    """In the batch that begins at the offset, behind its head: its offset, the length of the rest, and that."""
    contents, at = bytearray(file.read_bytes()), 0
    while int.from_bytes(contents[at : at + 8]) != offset:
        at += 12 + int.from_bytes(contents[at + 8 : at + 12])
    contents[at + HEAD] ^= 0xFF
    file.write_bytes(contents)


def test_a_rotten_batch_halts_its_partition_until_it_is_mended_or_given_up(
    faulty_spine: Spine, own_stack: Stack
) -> None:
    spine, kafka = faulty_spine, own_stack.part("kafka")
    for name in ("sound", "rotten", "behind"):
        send(spine, name, 5)
    spine.send_bytes(TOPIC, bets(spine, "elsewhere", 4), partition=1)
    file = segment(own_stack, spine)
    kafka.stop()
    whole = file.read_bytes()
    turn_a_byte(file, 5)
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
    assert len(whole) == file.stat().st_size
