"""A socket's queue stays short, whoever does not read, and the reader has everything in the end."""

import asyncio

from backoffice.live.sendqueue import ROOM, SendQueue


async def test_frames_come_in_order() -> None:
    queue = SendQueue(lambda _: None)
    for number in range(5):
        queue.put("prices:1", b"%d" % number)

    assert [await queue.next() for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]


async def test_who_does_not_read_gets_a_snapshot_of_each_publication_instead_of_a_longer_queue() -> None:
    queue = SendQueue(lambda name: f"snapshot of {name}".encode())
    for number in range(10_000):
        queue.put(f"prices:{number % 3}", b"%d" % number)
        assert len(queue) <= ROOM

    read = [await queue.next() for _ in range(3)]

    assert read == [f"snapshot of prices:{number}".encode() for number in range(3)]
    queue.put("prices:1", b"the next")
    assert await queue.next() == b"the next"


async def test_a_snapshot_that_is_not_there_yet_comes_when_it_is() -> None:
    snapshots: dict[str, bytes] = {}
    queue = SendQueue(snapshots.get)
    queue.want_snapshot("health")
    queue.put("health", b"is in the snapshot anyway")
    waiting = asyncio.create_task(queue.next())
    await asyncio.sleep(0)
    assert not waiting.done()

    snapshots["health"] = b"snapshot"
    queue.wake()

    assert await waiting == b"snapshot"


async def test_nothing_comes_of_a_publication_that_is_not_watched_any_more() -> None:
    queue = SendQueue(lambda _: b"snapshot")
    queue.put("ticker", b"a bet")
    queue.want_snapshot("health")
    queue.forget("ticker")
    queue.forget("health")
    queue.put("live", b"still here")

    assert await queue.next() == b"still here"
    assert len(queue) == 0
