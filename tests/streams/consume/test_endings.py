"""What is no Exception, raised while a lane stores, ends no lane: it is tried again, and then waits for a person."""

import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from backoffice.kernel.errors import Retryable
from tests.faults.groups import assignments
from tests.faults.test_lost_logs import halt, send, streams
from tests.spine import PATIENCE_SECONDS, Spine, until
from tests.streams.checkpoints import STREAM, TOPIC, Checkpoints, Counted, reading


class Panic(BaseException):
    """As a panic of a Rust library is raised."""


class Failing(Checkpoints):
    """Raises what it is told to, so many times, in place of storing; ``opens`` are raised by its next openings."""

    def __init__(self, path: Path, spine: Spine, *raised: BaseException, opens: tuple[BaseException, ...] = ()) -> None:
        super().__init__(path, spine.registry)
        self.raised, self.opens = list(raised), list(opens)
        self._has_begun = False

    def open(self) -> None:
        if self._has_begun and self.opens:
            raise self.opens.pop(0)
        self._has_begun = True
        super().open()

    def commit(self, prepared: Counted) -> Iterator[Counted]:
        if self.raised:
            raise self.raised.pop(0)
        yield from super().commit(prepared)


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt, GeneratorExit, Panic])
def test_what_ends_a_thread_elsewhere_is_tried_again(
    spine: Spine, tmp_path: Path, ending: Callable[[str], BaseException]
) -> None:
    send(spine, "only", 3)
    sink = Failing(tmp_path / "checkpoint.json", spine, ending("out of nowhere"))

    with reading(spine, sink):
        until(lambda: sink.counts["BetPlaced"] == 3, "they are counted, though nothing follows them")

    assert spine.rows("SELECT reason FROM streams_halt") == []


@pytest.mark.parametrize("ending", [SystemExit, Panic])
def test_what_does_not_pass_halts_the_partition_and_says_so(
    spine: Spine, tmp_path: Path, ending: Callable[[str], BaseException]
) -> None:
    send(spine, "only", 3)
    sink = Failing(tmp_path / "checkpoint.json", spine, *(ending("out of nowhere") for _ in range(3)))

    with reading(spine, sink):
        cause, offset, reason = halt(spine)
        assert (cause, offset, sink.counts.total()) == ("unstorable", 0, 0)
        assert f"out of nowhere ({ending.__name__})" in reason

        streams("resume", STREAM, TOPIC, "0")
        until(lambda: sink.counts["BetPlaced"] == 3, "they are counted once it has passed")


def test_a_lane_whose_writer_gets_no_thread_leaves_no_member_of_its_group_behind(
    spine: Spine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that nobody polls would keep its partitions for half an hour."""
    for partition in range(2):
        send(spine, f"in {partition}", 3, partition)
    start, refused = threading.Thread.start, count()

    def begun(thread: threading.Thread) -> None:
        if thread.name.startswith("write-") and next(refused) < 2:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", begun)
    sink = Failing(tmp_path / "checkpoint.json", spine)

    with reading(spine, sink):
        until(lambda: sink.counts["BetPlaced"] == 6, "all are counted", PATIENCE_SECONDS / 2)
        assert next(refused) > 2
        assert list(assignments(spine, STREAM, TOPIC).values()) == [{0, 1}]


def test_a_writer_that_has_died_is_missed_though_no_message_follows(
    spine: Spine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    send(spine, "only", 3)
    sink = Failing(tmp_path / "checkpoint.json", spine, Retryable("away"), opens=(SystemExit("while it connects"),))

    with reading(spine, sink):
        until(lambda: sink.counts["BetPlaced"] == 3, "the lane has begun anew")

    assert "its writer has died" in caplog.text
    assert "while it connects" in caplog.text


class HalfStuck(Checkpoints):
    """Stores what is of other partitions than the first, and fails at that one."""

    def commit(self, prepared: Counted) -> Iterator[Counted]:
        batch = prepared.batch
        others = batch.until(0, batch.spans[0][0]) if 0 in batch.spans else batch
        if others.spans:
            yield from super().commit(self.prepare(others))
        if 0 in batch.spans:
            raise Panic("of the first")


def test_a_partition_that_cannot_be_stored_halts_though_others_go_on(spine: Spine, tmp_path: Path) -> None:
    send(spine, "stuck", 1)
    sink, more = HalfStuck(tmp_path / "checkpoint.json", spine.registry), count()

    def is_halted() -> bool:
        send(spine, f"goes on {next(more)}", 1, partition=1)
        return bool(spine.rows("SELECT FROM streams_halt"))

    with reading(spine, sink):
        until(is_halted, "it is halted")

    ((partition, cause, reason),) = spine.rows("SELECT partition, cause, reason FROM streams_halt")
    assert (partition, cause) == (0, "unstorable")
    assert "of the first (Panic)" in reason
    assert sink.counts["BetPlaced"] > 0
