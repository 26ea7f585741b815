"""Redis refuses, answers nothing, or holds what is no task: streams are stored all the same, and jobs come back."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.test import Client

from backoffice.celery import app
from backoffice.live import bus
from backoffice.localstack import ports
from tests.faults.checks import nothing_lost_or_doubled
from tests.faults.load import under_load
from tests.faults.progress import gone_on
from tests.faults.test_jobs import HANGS, SILENCE, done, locked, waits
from tests.spine import Process, Spine, stopped, until

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("own_stack")]
Run = Callable[..., tuple[Process, Path]]
BEFORE, AFTER = "streams.purge_outbox", "streams.purge_stops"
# Within which whoever is told to end has ended.
ENDED_SECONDS = 10
# How it is brought to refuse, how it is brought back, and what it then says.
REFUSALS = {
    "read-only": ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "read only replica"),
    "few replicas": ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS"),
    "full": ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "maxmemory"),
    "no right": ("ACL SETUSER default -@write", "ACL SETUSER default +@all", "permissions"),
}


@contextmanager
def refusing(client: redis.Redis, how: str) -> Iterator[None]:
    begin, end, _ = REFUSALS[how]
    client.execute_command(*begin.split())  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        client.execute_command(*end.split())  # type: ignore[no-untyped-call]


@pytest.fixture
def client(faulty_spine: Spine) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.REDIS_URL) as found:
        found.flushall()
        yield found
        # Whatever a test left.
        for _, end, _ in REFUSALS.values():
            found.execute_command(*end.split())


@pytest.fixture
def start(faulty_spine: Spine, tmp_path: Path) -> Iterator[Run]:
    """Starts a process of Celery as it is run for real; returns it and its log."""
    with ExitStack() as ends:

        def start(*command: str, **told: str) -> tuple[Process, Path]:
            log = tmp_path / uuid4().hex
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "backoffice", *command],
                env=faulty_spine.environ | told,
                stdout=ends.enter_context(log.open("wb")), stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            ends.callback(_end, process)
            return process, log

        yield start


@pytest.fixture
def worker(start: Run) -> Run:
    """Starts a worker of these streams."""
    return lambda streams, **told: start("worker", "--streams", streams, "--hostname", f"{uuid4().hex}@test", **told)


def _end(process: Process) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()


def send(spine: Spine, job: str) -> None:
    """As beat does, to the Redis of the own stack."""
    with app.connection_for_write(settings.REDIS_URL) as connection:
        app.send_task(job, queue=f"{spine.prefix}celery", connection=connection)


def says(log: Path, words: str) -> None:
    until(lambda: words in log.read_text(errors="replace"), f"{words!r} is said")


def live_pages_are_told() -> bool:
    async def listen() -> bool:
        reached, heard = asyncio.Event(), asyncio.Event()
        listening = asyncio.create_task(bus.listen(lambda _: heard.set(), reached.set))
        await reached.wait()
        assert await asyncio.to_thread(bus.publish, {})
        await heard.wait()
        return listening.cancel()

    return asyncio.run(asyncio.wait_for(listen(), 20))


@pytest.mark.parametrize("how", REFUSALS)
def test_a_redis_that_refuses_writes_ends_no_worker(
    faulty_spine: Spine, client: redis.Redis, worker: Run, how: str
) -> None:
    spine, words = faulty_spine, REFUSALS[how][2]
    with under_load(spine, seed=64, rate=100) as load:
        first, _ = worker("wallet,outbox")
        gone_on(spine, "wallet")
        send(spine, BEFORE)
        until(lambda: done(spine, BEFORE), "the job is done")
        with refusing(client, how):
            second, log = worker("trading")
            says(log, "jobs stand still")
            assert words in log.read_text()
            for _ in range(2):
                gone_on(spine, "wallet")
                gone_on(spine, "trading")
            ready = Client().get("/health/ready")
            assert ready.status_code == 200
            assert ready.json()["redis"].startswith("takes no writes: ")
            assert words in ready.json()["redis"]
            assert live_pages_are_told()
            third, log = worker("players")
            says(log, "jobs stand still")
            ends(third)
        assert Client().get("/health/ready").json()["redis"] == "ok"
        send(spine, AFTER)
        until(lambda: done(spine, AFTER), "jobs are done again")
        assert [process.poll() for process in (first, second)] == [None, None]
    spine.drain()

    nothing_lost_or_doubled(spine, load.sent)


def test_beat_goes_on_and_sends_what_was_due(
    faulty_spine: Spine, client: redis.Redis, worker: Run, start: Run, tmp_path: Path
) -> None:
    worker("outbox")
    with refusing(client, "read-only"):
        beat, log = start("beat", "--schedule", str(tmp_path / "schedule"), SILENCE_JUDGED_EVERY="1")
        says(log, "jobs are not sent and stay due, tried again in ")
        assert "read only replica" in log.read_text()

    says(log, "jobs are sent again")
    until(lambda: done(faulty_spine, SILENCE), "the job is done")

    assert beat.poll() is None
    ends(beat)


def test_a_job_that_is_at_work_meanwhile_is_done(faulty_spine: Spine, client: redis.Redis, worker: Run) -> None:
    spine = faulty_spine
    process, log = worker("outbox", **HANGS)
    with locked(spine, "streams_halt"):
        send(spine, BEFORE)
        send(spine, AFTER)
        until(lambda: waits(spine, AFTER) and done(spine, BEFORE), "it is at work")
        client.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]
        says(log, "jobs stand still")
    until(lambda: done(spine, AFTER), "it is done")
    client.execute_command("REPLICAOF", "NO", "ONE")  # type: ignore[no-untyped-call]

    send(spine, "live.clear_sessions")

    until(lambda: done(spine, "live.clear_sessions"), "the next one is done")
    assert "Traceback" not in log.read_text()
    assert process.poll() is None


def test_connections_do_not_grow_while_redis_refuses(faulty_spine: Spine, client: redis.Redis, worker: Run) -> None:
    with refusing(client, "read-only"):
        _, log = worker("outbox")

        def tried(times: int) -> int:
            until(lambda: log.read_text().count("jobs stand still") >= times, f"it was tried {times} times")
            return len(client.client_list())

        assert tried(5) <= tried(2)


@contextmanager
def frozen(client: redis.Redis) -> Iterator[None]:
    with stopped(int(client.info()["process_id"])):
        yield


def ends(process: Process) -> None:
    process.terminate()
    assert process.wait(ENDED_SECONDS) == 0


@pytest.mark.parametrize("seconds", [1, 4, 9, 14])
def test_a_worker_ends_in_time(faulty_spine: Spine, client: redis.Redis, worker: Run, seconds: int) -> None:
    process, _ = worker("outbox")
    send(faulty_spine, BEFORE)
    until(lambda: done(faulty_spine, BEFORE), "the job is done")

    with frozen(client):
        since = time.monotonic()
        until(lambda: time.monotonic() - since > seconds, "it was frozen for so long")
        ends(process)


def test_a_worker_that_is_just_begun_ends_in_time(faulty_spine: Spine, client: redis.Redis, worker: Run) -> None:
    with frozen(client):
        process, log = worker("outbox")
        says(log, "streams: ")
        ends(process)


def test_a_worker_with_a_job_at_work_ends_in_time(faulty_spine: Spine, client: redis.Redis, worker: Run) -> None:
    process, _ = worker("outbox", **HANGS)
    with locked(faulty_spine, "streams_halt"):
        send(faulty_spine, AFTER)
        until(lambda: waits(faulty_spine, AFTER), "it is at work")
        with frozen(client):
            ends(process)


def test_streams_go_on_meanwhile_and_jobs_are_done_once_it_is_woken(
    faulty_spine: Spine, client: redis.Redis, worker: Run
) -> None:
    spine = faulty_spine
    with under_load(spine, seed=64, rate=100):
        process, log = worker("wallet,outbox")
        gone_on(spine, "wallet")
        send(spine, BEFORE)
        until(lambda: done(spine, BEFORE), "the job is done")
        with frozen(client):
            says(log, "jobs stand still")
            for _ in range(3):
                gone_on(spine, "wallet")

        send(spine, AFTER)

        until(lambda: done(spine, AFTER), "the next one is done")
    assert process.poll() is None


def test_what_asks_for_its_events_gets_none(faulty_spine: Spine, client: redis.Redis, start: Run) -> None:
    """Whatever the command line says: each would be sent by the thread that hears that the worker is to end."""
    process, _ = start("worker", "--streams", "outbox", "--task-events", "--heartbeat-interval", "1")
    send(faulty_spine, BEFORE)
    until(lambda: done(faulty_spine, BEFORE), "the job is done")

    with frozen(client):
        ends(process)


def entry(**changed: Any) -> dict[str, Any]:
    """A task as Celery puts it into the queue."""
    properties = {"delivery_tag": uuid4().hex, "delivery_info": {"exchange": "", "routing_key": "celery"}}
    headers = {"task": AFTER, "id": uuid4().hex, "lang": "py"}
    return {
        "body": "[[], {}, {}]", "content-type": "application/json", "content-encoding": "utf-8",
        "headers": headers, "properties": properties,
    } | changed  # fmt: skip


GARBAGE: dict[str, bytes | Any] = {
    "no JSON": b"garbage",
    "no UTF-8": b"\xff\xfe",
    "nothing": b"",
    "deep": b"[" * 200_000,
    "a number": 5,
    "null": None,
    "an empty object": {},
    "no tag": entry(properties={}),
    "a tag that is none": entry(properties=entry()["properties"] | {"delivery_tag": None}),
    "no delivery": entry(properties={"delivery_tag": "x"}),
    "no list of properties": entry(properties=[1]),
    "a body that is no base64": entry(body="?", properties=entry()["properties"] | {"body_encoding": "base64"}),
    "no headers": entry(headers=None),
    "headers of before": entry(headers=[1, 2]),
    "no body": entry(headers={}, body=None),
    "an old message": entry(headers={}, body=json.dumps({"task": "gone", "id": "x", "args": [], "kwargs": {}})),
    "an unknown task": entry(headers={"task": "gone", "id": "x"}),
    "a task without an id": entry(headers={"task": "gone"}),
    "a name that is none": entry(headers={"task": ["gone"], "id": "x"}),
    "pickle": entry(**{"content-type": "application/x-python-serialize"}),
    "an unknown content": entry(**{"content-type": "application/x-unheard-of"}),
    "an unknown encoding": entry(**{"content-type": "text/plain", "content-encoding": "unheard-of"}),
    "a body that is no JSON": entry(body="{"),
    "a body that is no call": entry(body="5"),
    "a call of too few parts": entry(body="[[], {}]"),
    "an eta that is none": entry(headers=entry()["headers"] | {"eta": "once"}),
    "an eta of another kind": entry(headers=entry()["headers"] | {"eta": 5}),
    "an end that is none": entry(headers=entry()["headers"] | {"expires": [1]}),
    "limits that are none": entry(headers=entry()["headers"] | {"timelimit": 5}),
    "a compression that is none": entry(headers=entry()["headers"] | {"compression": "unheard-of"}),
}


def test_what_is_no_task_is_dropped_and_counted(faulty_spine: Spine, client: redis.Redis, worker: Run) -> None:
    spine, queue, port = faulty_spine, f"{faulty_spine.prefix}celery", str(ports.choose())
    process, log = worker("outbox", METRICS_PORT=port)
    for garbage in GARBAGE.values():
        client.lpush(queue, garbage if isinstance(garbage, bytes) else json.dumps(garbage))
    send(spine, BEFORE)

    until(lambda: done(spine, BEFORE), "what stands behind it is done")
    # Its remote control listens by now.
    client.publish("/0.celery.pidbox", "garbage")
    client.publish("/0.celery.pidbox", "5")

    counted = f"pitboss_tasks_dropped_total {len(GARBAGE) + 1:.1f}"
    until(lambda: counted in metrics(port), "each is counted")
    until(lambda: client.hlen("unacked") == 0, "none of it comes again")
    assert log.read_text().count(" is dropped: ") == len(GARBAGE) + 1
    assert "jobs stand still" not in log.read_text()
    assert process.poll() is None
    assert not done(spine, AFTER)


def metrics(port: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_a_queue_that_is_none_stops_jobs_alone(faulty_spine: Spine, client: redis.Redis, worker: Run) -> None:
    spine, queue = faulty_spine, f"{faulty_spine.prefix}celery"
    client.set(queue, "garbage")
    process, log = worker("outbox")
    says(log, "jobs stand still")
    says(log, "Operation against a key holding the wrong kind of value")

    client.delete(queue)
    send(spine, AFTER)

    until(lambda: done(spine, AFTER), "the job is done")
    assert process.poll() is None
