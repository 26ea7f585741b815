"""The four servers together."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from . import ports
from .children import Children
from .errors import StackError
from .layout import Layout
from .lock import RunLock
from .parts.kafka import Kafka
from .parts.postgres import Postgres
from .parts.redis import Redis
from .parts.registry import Registry
from .supervise import Part

LEAST_FREE = 1 << 30
PORTS = ("postgres", "redis", "kafka", "controller", "registry", "management")


class Stack:
    """PostgreSQL, Valkey, Kafka and the schema registry of one data folder.

    ::

        with running_stack(tmp_path / "stack") as stack:
            os.environ.update(stack.environ())   # DATABASE_URL, REDIS_URL, KAFKA_BOOTSTRAP_SERVERS, SCHEMA_REGISTRY_URL
            kafka = stack.part("kafka")          # or "postgres", "redis", "registry"
            os.kill(kafka.pid, signal.SIGKILL)   # dies by itself: started again within seconds, with back-off
            kafka.wait_healthy(timeout=60)
            kafka.kill()                         # SIGKILL to all its processes; stays down ...
            kafka.start()                        # ... until started; returns when healthy. Same address as before
            kafka.stop()                         # graceful

    A part whose variable is set in ``outside`` (default: this process' environment) is somebody else's server: it is not
    started, ``environ`` hands its address on, and ``part`` does not know it. Give ``outside={}`` for a whole stack of one's
    own, also below ``python -m backoffice.localstack exec``.
    """

    def __init__(self, layout: Layout, outside: Mapping[str, str]) -> None:
        self.layout = layout
        self.children = Children(layout.children)
        numbers = ports.remembered(layout.run / "ports.json", PORTS)
        postgres, redis = Postgres(layout, numbers), Redis(layout, numbers)
        kafka, registry = Kafka(layout, numbers), Registry(layout, numbers)
        own = {
            "DATABASE_URL": (postgres, postgres.url),
            "REDIS_URL": (redis, f"redis://{ports.LOOPBACK}:{redis.port}/0"),
            "KAFKA_BOOTSTRAP_SERVERS": (kafka, f"{ports.LOOPBACK}:{kafka.port}"),
            "SCHEMA_REGISTRY_URL": (registry, registry.url),
        }
        self._environ = {variable: outside.get(variable) or address for variable, (_, address) in own.items()}
        wanted = {server.name: server for variable, (server, _) in own.items() if not outside.get(variable)}
        if registry.name in wanted:
            # The registry keeps its own database; it does not go into one that was handed in.
            wanted.setdefault(postgres.name, postgres)
        self.parts = {name: Part(server, self.children) for name, server in wanted.items()}

    def environ(self) -> dict[str, str]:
        """The variables by which everything else finds the servers."""
        return dict(self._environ)

    def part(self, name: str) -> Part:
        """One of postgres, redis, kafka, registry.

        Raises:
            KeyError: no such part, or its server is somebody else's.
        """
        return self.parts[name]

    def start(self) -> None:
        """Start all parts side by side; the registry follows PostgreSQL."""
        chains = (("postgres", "registry"), ("kafka",), ("redis",))
        _at_once(_chain([self.parts[name].start for name in chain if name in self.parts]) for chain in chains)

    def stop(self) -> None:
        """Stop all parts side by side, PostgreSQL after its client the registry."""
        chains = (("registry", "postgres"), ("kafka",), ("redis",))
        _at_once(_chain([self.parts[name].stop for name in chain if name in self.parts]) for chain in chains)


@contextmanager
def running_stack(data: Path, *, outside: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """A healthy stack in this data folder, stopped on leaving; see `Stack`.

    Raises:
        StackError: it cannot be started, or one runs in this folder already.
    """
    with locked_data(data) as (layout, _), started(layout, outside) as stack:
        yield stack


@contextmanager
def locked_data(data: Path) -> Iterator[tuple[Layout, RunLock]]:
    """The data folder for this process alone, cleared of what a killed predecessor left running."""
    if sys.platform != "linux":
        raise StackError(
            "The local servers run on Linux; elsewhere start them with `docker compose up`, see compose.yaml."
        )
    layout = Layout(data.absolute())
    layout.make()
    free = shutil.disk_usage(layout.data).free
    if free < LEAST_FREE:
        raise StackError(
            f"Only {free >> 20} MB are free for {layout.data}; make room for at least {LEAST_FREE >> 20} MB."
        )
    lock = RunLock(layout.run / "lock")
    lock.acquire()
    try:
        Children(layout.children).sweep()
        yield layout, lock
    finally:
        lock.release()


@contextmanager
def started(layout: Layout, outside: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """A healthy stack in a folder that is locked already."""
    stack = Stack(layout, os.environ if outside is None else outside)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def _chain(steps: Iterable[Callable[[], None]]) -> Callable[[], None]:
    def run() -> None:
        for step in steps:
            step()

    return run


def _at_once(jobs: Iterable[Callable[[], None]]) -> None:
    """Run all; when all have ended, raise what the first one raised."""
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(job) for job in jobs]
    for future in futures:
        future.result()
