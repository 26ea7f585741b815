"""A task that gets no thread is begun later, and keeps no other, and not the worker's end, from going on."""

import threading
from collections.abc import Iterator

import pytest
from kombu.asynchronous import Hub, get_event_loop, set_event_loop

from backoffice.pool import TaskPool
from tests.kernel.test_asking import no_threads
from tests.spine import until


@pytest.fixture
def hub() -> Iterator[Hub]:
    before = get_event_loop()
    hub = Hub()
    set_event_loop(hub)
    yield hub
    hub.close()
    set_event_loop(before)


def test_a_task_without_a_thread_is_begun_once_there_is_one(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    pool, begun = TaskPool(limit=1), []

    def apply(number: int) -> None:
        def work(_: str) -> None:
            begun.append(number)

        pool.on_apply(work, ("a.job",), {}, callback=lambda _: None)

    with no_threads():
        apply(1)
        assert begun == []
    assert "a.job is not begun: can't start new thread" in caplog.text

    apply(2)
    until(lambda: begun == [2], "another one is begun")

    def comes() -> bool:
        hub.fire_timers()
        return begun == [2, 1]

    until(comes, "the first one is begun")
    pool.on_stop()


def test_the_pool_ends_although_a_task_got_no_thread(hub: Hub) -> None:
    pool = TaskPool(limit=1)
    with no_threads():
        pool.on_apply(print, ("a.job",), {})

    pool.on_stop()

    assert not any(thread.name == "task-a.job" for thread in threading.enumerate())
