"""What was committed is told to listeners, and nothing that they do touches the streams."""

import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from backoffice.streams import telemetry
from backoffice.streams.store import announcing
from backoffice.streams.store.announcing import Events, after_commit, announce, finish
from tests.kernel.test_asking import no_threads
from tests.spine import until

EVENTS = {"BetPlaced": pa.table({"stake": [1, 2]})}


@pytest.fixture(autouse=True)
def no_other_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "_LISTENERS", [])


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds a listener up until it is opened."""
    gate = threading.Event()
    yield gate
    gate.set()


def _tellers() -> int:
    return sum(thread.name == "announce" for thread in threading.enumerate())


def unannounced() -> float:
    return sum(sample.value for metric in telemetry.UNANNOUNCED.collect() for sample in metric.samples[:1])


def test_a_listener_that_fails_keeps_nothing_from_the_others_or_from_the_next_batch() -> None:
    heard: list[Events] = []

    @after_commit
    def fails(_: Events) -> None:
        raise RuntimeError("broken")

    after_commit(heard.append)
    before = unannounced()
    announce(EVENTS)
    announce(EVENTS)

    until(lambda: len(heard) == 2, "both batches are heard")
    assert heard[0] is EVENTS
    assert unannounced() == before + 2


def test_a_listener_that_hangs_holds_nobody_up(gate: threading.Event) -> None:
    heard: list[Events] = []

    @after_commit
    def hangs(events: Events) -> None:
        assert gate.wait(60)
        heard.append(events)

    before = unannounced()
    for _ in range(100):
        announce(EVENTS)

    assert unannounced() >= before + 100 - announcing.ROOM - 1
    gate.set()
    until(lambda: len(heard) == before + 100 - unannounced(), "what was not dropped is heard")


def test_a_listener_is_told_that_it_missed_something_before_it_is_told_more(gate: threading.Event) -> None:
    said: list[str] = []

    def hangs(_: Events) -> None:
        assert gate.wait(60)
        said.append("told")

    after_commit(hangs, missed=lambda: said.append("missed"))
    for _ in range(announcing.ROOM + 3):
        announce(EVENTS)
    gate.set()
    until(lambda: "missed" in said and said[-1] == "told", "it is told of the gap and of what came after it")

    assert said.count("missed") == 1
    announce(EVENTS)
    until(lambda: said.count("told") >= announcing.ROOM + 1, "it goes on")
    assert said.count("missed") == 1


def test_a_listener_that_failed_is_told_that_it_missed_something() -> None:
    said: list[str] = []

    def fails_once(_: Events) -> None:
        said.append("told")
        if len(said) == 1:
            raise RuntimeError("broken")

    after_commit(fails_once, missed=lambda: said.append("missed"), idle=lambda: None)
    announce(EVENTS)
    until(lambda: said == ["told", "missed"], "also where nothing comes after it")


def test_a_batch_for_which_no_thread_could_be_begun_is_missed_and_those_after_it_are_told() -> None:
    said: list[object] = []
    after_commit(said.append, missed=lambda: said.append("missed"))
    before = unannounced()

    with no_threads():
        announce(EVENTS)
    announce(EVENTS)

    until(lambda: len(said) == 2, "it is told")
    assert said == ["missed", EVENTS]
    assert unannounced() == before + 1


def test_it_is_missed_too_where_another_lane_gets_its_thread_before_that_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finish()
    said: list[object] = []
    after_commit(said.append, missed=lambda: said.append("missed"))
    start, refused = announcing.Teller.start, threading.Event()

    def starts(teller: announcing.Teller) -> None:
        if not refused.is_set():
            refused.set()
            raise RuntimeError("can't start new thread")
        start(teller)

    def counted() -> None:
        monkeypatch.undo()
        monkeypatch.setattr(announcing, "_LISTENERS", listeners)
        announce(EVENTS)

    listeners = announcing._LISTENERS
    monkeypatch.setattr(announcing.Teller, "start", starts)
    monkeypatch.setattr(telemetry.UNANNOUNCED, "inc", counted)
    announce(EVENTS)

    until(lambda: len(said) == 2, "it is told")
    assert said == ["missed", EVENTS]


def test_first_batches_that_are_committed_at_once_are_told_by_one_thread() -> None:
    finish()
    heard: list[Events] = []
    after_commit(heard.append)
    together = threading.Barrier(announcing.ROOM)

    def commits() -> None:
        together.wait(60)
        announce(EVENTS)

    threads = [threading.Thread(target=commits) for _ in range(announcing.ROOM)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    until(lambda: len(heard) == announcing.ROOM, "all are heard")
    assert _tellers() == 1


def test_a_listener_without_news_is_called_now_and_then() -> None:
    idle = threading.Event()
    after_commit(lambda _: None, idle=idle.set)
    announce(EVENTS)

    until(idle.is_set, "it is called")


def test_a_batch_without_events_is_not_told() -> None:
    heard: list[Events] = []
    after_commit(heard.append)

    announce({})
    announce(EVENTS)

    until(lambda: heard, "the batch is heard")
    assert heard == [EVENTS]


def test_what_waits_when_a_process_ends_is_told_and_nothing_is_said_after_that() -> None:
    heard: list[Events] = []
    after_commit(heard.append, idle=lambda: heard.append({}))
    for _ in range(announcing.ROOM):
        announce(EVENTS)

    finish()

    assert [events for events in heard if events] == [EVENTS] * announcing.ROOM
    assert _tellers() == 0
    announce(EVENTS)
    until(lambda: heard[-1] == EVENTS, "a later batch is told all the same")
