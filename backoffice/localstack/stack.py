"""The four servers together."""

import os
import shutil
import sys
import threading
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
from .privileges import user_name
from .supervise import Part

LEAST_FREE = 1 << 30
LONG_LOG = 20 << 20
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

    A part whose variable is set in ``outside`` (default: this process' environment) is somebody else's server: it is
    not started, ``environ`` hands its address on, and ``part`` does not know it. Give ``outside={}`` for a whole stack
    of one's own, also below ``python -m backoffice.localstack exec``.
    """

    def __init__(self, layout: Layout, outside: Mapping[str, str]) -> None:
        self.layout = layout
        self.children = Children(layout.servers)
        numbers = ports.remembered(layout.run / "ports.json", PORTS)
        postgres, redis = Postgres(layout, numbers), Redis(layout, numbers)
        kafka, registry = Kafka(layout, numbers), Registry(layout, numbers)
        own = {
            "DATABASE_URL": (postgres, postgres.url),
            "REDIS_URL": (redis, f"redis://{ports.LOOPBACK}:{redis.port}/0"),
            "KAFKA_BOOTSTRAP_SERVERS": (kafka, f"{ports.LOOPBACK}:{kafka.port}"),
            "SCHEMA_REGISTRY_URL": (registry, registry.url),
        }
        self._started = {variable: address for variable, (_, address) in own.items() if not outside.get(variable)}
        self._environ = {variable: self._started.get(variable) or outside[variable] for variable in own}
        wanted = {own[variable][0].name: own[variable][0] for variable in self._started}
        if registry.name in wanted:
            # The registry keeps its own database; it does not go into one that was handed in.
            wanted.setdefault(postgres.name, postgres)
        self._ending = threading.Event()
        self.parts = {name: Part(server, self.children) for name, server in wanted.items()}

    def environ(self) -> dict[str, str]:
        """The variables by which everything else finds the servers."""
        return dict(self._environ)

    def started(self) -> dict[str, str]:
        """The variables of the servers that were started here, and of no others."""
        return dict(self._started)

    def part(self, name: str) -> Part:
        """One of postgres, redis, kafka, registry.

        Raises:
            KeyError: no such part, or its server is somebody else's.
        """
        return self.parts[name]

    def start(self) -> None:
        """Start all parts side by side; the registry follows PostgreSQL."""
        for part in self.parts.values():
            part.server.fetch()  # Here and not side by side, so that Ctrl-C ends a long download at once.
        _at_once(self._chain(Part.start, *names) for names in (("postgres", "registry"), ("kafka",), ("redis",)))

    def stop(self) -> None:
        """Stop all parts side by side, PostgreSQL after its client the registry."""
        self._ending.set()
        _at_once(self._chain(Part.stop, *names) for names in (("registry", "postgres"), ("kafka",), ("redis",)))

    def _chain(self, act: Callable[[Part], None], *names: str) -> Callable[[], None]:
        def run() -> None:
            for part in (self.parts[name] for name in names if name in self.parts):
                if act is Part.start and self._ending.is_set():
                    return
                act(part)

        return run


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
    _refuse_strangers(layout)
    layout.make()
    free = shutil.disk_usage(layout.data).free
    if free < LEAST_FREE:
        raise StackError(
            f"Only {free >> 20} MB are free for {layout.data}; make room for at least {LEAST_FREE >> 20} MB. What is"
            " in it is whole; nothing of it has to be deleted."
        )
    lock = RunLock(layout.run / "lock")
    lock.acquire()
    try:
        sweep(layout)
        _set_aside_long_logs(layout)
        yield layout, lock
    finally:
        lock.release()


def _refuse_strangers(layout: Layout) -> None:
    """
    Raises:
        StackError: another user started this stack before, and owns what it made.
    """
    folders = [layout.data, *layout.data.iterdir()] if layout.data.is_dir() else []
    owners = {folder: folder.stat().st_uid for folder in folders}
    for folder, owner in owners.items():
        if os.geteuid() not in (0, owner):
            raise StackError(
                f"{folder} belongs to {user_name(owner)}. Start it as {user_name(owner)}, as before, or take it over:"
                f" sudo chown -R {user_name(os.geteuid())} {layout.data}. Nothing has to be deleted."
            )


def sweep(layout: Layout) -> None:
    """End what a killed predecessor left: first the clients, then the servers."""
    Children(layout.apps).sweep()
    Children(layout.servers).sweep()


def _set_aside_long_logs(layout: Layout) -> None:
    for log in layout.log("any").parent.glob("*.log"):
        if log.stat().st_size > LONG_LOG:
            log.replace(log.with_suffix(".log.1"))


@contextmanager
def started(layout: Layout, outside: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """A healthy stack in a folder that is locked already."""
    stack = Stack(layout, os.environ if outside is None else outside)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def _at_once(jobs: Iterable[Callable[[], None]]) -> None:
    """Run all; when all have ended, raise what the first one raised."""
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(job) for job in jobs]
    for future in futures:
        future.result()
