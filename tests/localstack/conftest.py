"""Folders and processes of these tests alone; nothing here uses a server of somebody else."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backoffice.localstack import memory, processes
from backoffice.localstack.layout import PROJECT, Layout

ADDRESSES = ("DATABASE_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL")
# Kafka and the registry take seconds to start; tests of locks and processes do without them.
ELSEWHERE = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which only PostgreSQL and Valkey are started, and nothing else is known."""
    for variable in (*ADDRESSES, "PITBOSS_PORT"):
        monkeypatch.delenv(variable, raising=False)
    for variable, address in ELSEWHERE.items():
        monkeypatch.setenv(variable, address)
    return dict(os.environ)


class Started:
    """A ``python -m backoffice.localstack`` of a test, with what it wrote so far."""

    def __init__(self, words: list[str], out: Path, cwd: Path) -> None:
        self.out = out
        with out.open("wb") as file:
            command = [sys.executable, "-m", "backoffice.localstack", *words]
            self.process = subprocess.Popen(
                command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )

    @property
    def said(self) -> str:
        return self.out.read_text()

    def says(self, text: str, timeout: float = 30) -> None:
        wait_until(lambda: text in self.said or self.process.poll() is not None, timeout)
        assert text in self.said

    def ends(self, timeout: float = 20) -> int:
        return self.process.wait(timeout)


@pytest.fixture
def start(alone: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Starts the command; whatever of it still runs when the test ends, also in failure, is killed."""
    running: list[Started] = []

    def begin(*words: str, cwd: Path = PROJECT) -> Started:
        running.append(Started(list(words), tmp_path / f"out-{len(running)}", cwd))
        return running[-1]

    yield begin
    for command in running:
        if command.process.poll() is None:
            processes.kill(command.process.pid)
            command.process.wait()
    for pid in of(str(tmp_path)):
        processes.kill(pid)
    for lock in tmp_path.rglob("run/lock"):
        memory.forget(Layout(lock.parent.parent))


def wait_until(condition: Callable[[], object], timeout: float = 20) -> None:
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.05)


def of(marker: str) -> list[int]:
    """The living processes whose command line or working folder names this folder."""
    return [process.pid for process in processes.everyone() if not process.ended and _belongs(process.pid, marker)]


def _belongs(pid: int, marker: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        return marker in words or marker in os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return False
