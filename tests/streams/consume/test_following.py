"""A compacted topic as each process sees it that follows it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from confluent_kafka.admin import AdminClient
from django.conf import settings

from backoffice.streams.consume.batch import Batch
from backoffice.streams.consume.following import follow
from backoffice.streams.kafka.clients import producer
from backoffice.streams.standing import standing_headers
from tests.spine import Spine, until

PRICES = "market-prices"


class Latest:
    """The newest value of each key."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.beginnings = 0
        self.is_told = threading.Event()

    def begin(self) -> None:
        self.values.clear()
        self.beginnings += 1

    def take(self, batch: Batch) -> None:
        for key, value in zip(batch.keys, batch.values, strict=True):
            if value is None:
                self.values.pop(key or b"", None)
            else:
                self.values[key or b""] = value

    def caught_up(self) -> None:
        self.is_told.set()


@contextmanager
def followed(spine: Spine, *followers: Latest) -> Iterator[None]:
    stopping = threading.Event()
    tell = partial(follow, PRICES, kafka=settings.KAFKA, prefix=spine.prefix, stopping=stopping)
    threads = [threading.Thread(target=tell, args=(follower,), daemon=True) for follower in followers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join(15)
            assert not thread.is_alive()


def test_each_follower_has_all_from_the_beginning_to_now_and_on(spine: Spine) -> None:
    spine.send_bytes(PRICES, [b"1", b"2"], key=b"a")
    spine.send_bytes(PRICES, [b"3", None], key=b"b")
    one, other = Latest(), Latest()

    with followed(spine, one, other):
        for latest in (one, other):
            assert latest.is_told.wait(20)
            assert latest.values == {b"a": b"2"}
        spine.send_bytes(PRICES, [b"4"], key=b"b")
        until(lambda: one.values == other.values == {b"a": b"2", b"b": b"4"}, "both know the new price")

    assert one.beginnings == other.beginnings == 1


def test_a_tombstone_that_is_about_less_than_was_told_since_takes_nothing_out(spine: Spine) -> None:
    spine.send_bytes(PRICES, [b"1", b"2"], key=b"a", partition=0)
    sender, latest = producer(settings.KAFKA), Latest()
    for key, headers in ((b"a", standing_headers(0, 0)), (b"b", standing_headers(0, 0))):
        sender.produce(f"{spine.prefix}{PRICES}", None, key, partition=0, headers={**headers})
    assert sender.flush(20) == 0

    with followed(spine, latest):
        assert latest.is_told.wait(20)

    assert latest.values == {b"a": b"2"}


def test_an_empty_topic_is_caught_up_with(spine: Spine) -> None:
    latest = Latest()

    with followed(spine, latest):
        assert latest.is_told.wait(20)

    assert latest.values == {}


def test_a_partition_that_is_added_is_followed_as_well(spine: Spine) -> None:
    latest = Latest()
    with followed(spine, latest):
        assert latest.is_told.wait(20)
        spine.add_partitions(PRICES, spine.partitions + 1)
        spine.send_bytes(PRICES, [b"9"], key=b"late", partition=spine.partitions)

        until(lambda: latest.values == {b"late": b"9"}, "what the new partition says is known")


@pytest.mark.parametrize("messages", [1, 10], ids=["shorter than before", "longer than before"])
def test_a_topic_made_anew_is_told_from_its_beginning(spine: Spine, messages: int) -> None:
    spine.send_bytes(PRICES, [b"old"] * 3, key=b"a", partition=0)
    latest = Latest()
    name = f"{spine.prefix}{PRICES}"
    with followed(spine, latest):
        assert latest.is_told.wait(20)
        admin = AdminClient({**settings.KAFKA})
        admin.delete_topics([name])[name].result(10)
        until(lambda: _partitions(spine) == 0, "the topic is gone")
        spine.make_topic(PRICES)
        spine.send_bytes(PRICES, [b"new"] * messages, key=b"b", partition=0)

        until(lambda: latest.values == {b"b": b"new"}, "only the new topic is known")


def _partitions(spine: Spine) -> int:
    admin = AdminClient({**settings.KAFKA})
    found = admin.list_topics(timeout=10).topics.get(f"{spine.prefix}{PRICES}")
    return len(found.partitions) if found else 0
