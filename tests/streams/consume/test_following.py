"""A compacted topic as each process sees it that follows it."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from confluent_kafka.admin import AdminClient
from django.conf import settings
from prometheus_client import REGISTRY

from backoffice.streams.consume.batch import Batch
from backoffice.streams.consume.following import follow
from backoffice.streams.kafka.clients import producer
from backoffice.streams.patience import BACK_OFF_SECONDS
from backoffice.streams.standing import standing_headers
from tests.spine import Spine, until

PRICES = "market-prices"
QUOTED = "a value that is nobody's business"


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


class Panic(BaseException):
    """What a library in Rust raises is no Exception."""


class Faulty(Latest):
    """Cannot take one value, or begin, until that is mended."""

    def __init__(self, trouble: type[BaseException], at: str) -> None:
        super().__init__()
        self._trouble, self._at = trouble, at
        self.is_mended = False
        self.begun_at: list[float] = []

    def begin(self) -> None:
        super().begin()
        self.begun_at.append(time.monotonic())
        if self._at == "begin" and not self.is_mended:
            raise self._trouble(QUOTED)

    def take(self, batch: Batch) -> None:
        if self._at == "take" and b"bad" in batch.values and not self.is_mended:
            raise self._trouble(QUOTED)
        super().take(batch)


def untold() -> float | None:
    return REGISTRY.get_sample_value("pitboss_topic_untold", {"topic": PRICES})


@pytest.mark.parametrize("at", ["begin", "take"])
@pytest.mark.parametrize("trouble", [ValueError, Panic])
def test_what_a_follower_cannot_take_is_said_once_and_told_again_from_the_beginning(
    spine: Spine, trouble: type[BaseException], at: str, caplog: pytest.LogCaptureFixture
) -> None:
    spine.send_bytes(PRICES, [b"1"], key=b"a")
    spine.send_bytes(PRICES, [b"bad"], key=b"b")
    latest = Faulty(trouble, at)

    with followed(spine, latest):
        until(lambda: latest.beginnings >= 4, "it begins again and again")
        assert not latest.is_told.is_set()
        assert untold() == 1
        latest.is_mended = True
        assert latest.is_told.wait(20)
        assert latest.values == {b"a": b"1", b"b": b"bad"}
        until(lambda: untold() == 0, "it goes on")

    said = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    assert [trouble.__name__ in text and f"in {at}" in text for text in said] == [True]
    assert QUOTED not in caplog.text
    between = [later - earlier for earlier, later in zip(latest.begun_at, latest.begun_at[1:], strict=False)]
    assert all(waited >= least for waited, least in zip(between, BACK_OFF_SECONDS, strict=False))


def test_one_follower_that_cannot_go_on_is_counted_beside_another_that_does(spine: Spine) -> None:
    spine.send_bytes(PRICES, [b"bad"], key=b"a")
    faulty, well = Faulty(ValueError, "take"), Latest()
    with followed(spine, faulty, well):
        assert well.is_told.wait(20)
        until(lambda: faulty.beginnings >= 2, "it begins again and again")
        until(lambda: untold() == 1, "one of them is counted")
    assert untold() == 0


def test_a_fault_after_all_was_told_is_told_of_and_ends(spine: Spine) -> None:
    latest = Faulty(ValueError, "take")
    with followed(spine, latest):
        assert latest.is_told.wait(20)
        assert untold() == 0
        spine.send_bytes(PRICES, [b"bad"], key=b"a")
        until(lambda: latest.beginnings >= 3, "it begins again and again")
        assert untold() == 1
        latest.is_mended = True
        until(lambda: latest.values == {b"a": b"bad"} and untold() == 0, "it goes on")
        spine.send_bytes(PRICES, [b"2"], key=b"a")
        until(lambda: latest.values == {b"a": b"2"}, "what came since is told")


def test_a_client_that_cannot_be_made_is_tried_again(spine: Spine, caplog: pytest.LogCaptureFixture) -> None:
    stopping, wrong = threading.Event(), {**settings.KAFKA, "no.such.setting": "1"}
    thread = threading.Thread(
        target=follow, args=(PRICES, Latest()), kwargs={"kafka": wrong, "prefix": spine.prefix, "stopping": stopping}
    )
    thread.start()
    until(lambda: "no.such.setting" in caplog.text, "it is said")
    assert thread.is_alive()
    assert untold() == 1
    stopping.set()
    thread.join(15)
    assert not thread.is_alive()
    assert untold() == 0


def _partitions(spine: Spine) -> int:
    admin = AdminClient({**settings.KAFKA})
    found = admin.list_topics(timeout=10).topics.get(f"{spine.prefix}{PRICES}")
    return len(found.partitions) if found else 0
