"""Producers of many small transactions: each leaves a marker, an offset without a message, while the log grows."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.faults.test_lost_logs import STREAM, bets, count, stored, transaction
from tests.metrics.test_asking import locked
from tests.spine import Spine, until

READER = "backoffice.streams.consume.reader"
# Each change of the assignment, and each wait, costs two readings at the most.
OFTEN = 20
SENDERS = 3
MANY = 60


@dataclass
class Traffic:
    """``events`` were committed, and as many transactions, by now."""

    by_sender: list[int]

    @property
    def events(self) -> int:
        return sum(self.by_sender)

    def grows(self, by: int) -> None:
        wanted = self.events + by
        until(lambda: self.events >= wanted, "transactions are committed")


@contextmanager
def traffic(spine: Spine) -> Iterator[Traffic]:
    """One event in each transaction, every third is followed by one that is aborted."""
    told, ended = Traffic([0] * SENDERS), threading.Event()

    def send(number: int) -> None:
        values = iter(bets(spine, f"sender {number}", 20_000))
        with transaction(spine, f"sender {number}") as send_all:
            while not ended.is_set():
                send_all([next(values)], True)
                told.by_sender[number] += 1
                if told.by_sender[number] % 3 == 0:
                    send_all([next(values)], False)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def read_again(caplog: pytest.LogCaptureFixture) -> int:
    """How often messages were taken from Kafka and put aside to be read again."""
    return caplog.text.count("again to be sure")


def test_a_worker_that_begins_meanwhile_keeps_up(spine: Spine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", READER)
    with traffic(spine) as told:
        told.grows(MANY)
        with spine.streaming(STREAM):
            came = told.events
            until(lambda: count(spine) >= came, "what came before it is stored while more comes")
            came = told.events
            until(lambda: count(spine) >= came, "and what came since")

    assert read_again(caplog) < OFTEN
    spine.drain(STREAM)
    assert count(spine) == told.events
    assert spine.value("SELECT count(*) FROM streams_repeat") == 0


def test_a_lane_that_had_to_wait_catches_up_meanwhile(spine: Spine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", READER)
    with spine.streaming(STREAM), traffic(spine) as told:
        told.grows(MANY)
        until(lambda: stored(spine) > 0, "the lane is well")
        with locked(spine.database_url, "streams_offset"):
            told.grows(MANY)
        came = told.events
        until(lambda: count(spine) >= came, "it has caught up while more comes")

    assert read_again(caplog) < OFTEN
    spine.drain(STREAM)
    assert count(spine) == told.events
    assert spine.value("SELECT count(*) FROM streams_repeat") == 0
