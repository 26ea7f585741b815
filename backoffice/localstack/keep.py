"""Keeps one of Pitboss' processes alive: ``python -m backoffice.localstack.keep NAME DATA PORT OWNER``.

The manager of `make run` ends everything as soon as one of its processes ends. So each of them is a keeper: it starts
the real process in a session of its own, starts it again when it dies, and ends it with all its descendants when it is
told to, or when the owner, the process of `make run`, has died without telling.
"""

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

from prometheus_client.multiprocess import mark_process_dead

from . import apps, processes
from .children import Children
from .layout import PROJECT, Layout
from .supervise import BACK_OFF, STEADY_SECONDS, ending

GRACE_SECONDS = 10.0
_LOOK_SECONDS = 0.2


class Keeper:
    def __init__(self, name: str, command: Callable[[], list[str]], owner: tuple[int, int], children: Children) -> None:
        self.name = name
        self.command = command
        self.owner = owner
        self.children = children
        self._told = False

    def run(self) -> None:
        """Return when told to end, or when the owner is gone."""
        signal.signal(signal.SIGTERM, self._tell)
        signal.signal(signal.SIGINT, self._overhear)
        failures = 0
        while not self._over:
            began = time.monotonic()
            code = self._attend(self._spawn())
            if code == 0 and self.name in apps.MAY_END:
                self._pause(math.inf)
            if self._over:
                return
            failures = 0 if time.monotonic() - began > STEADY_SECONDS else failures
            delay = BACK_OFF[min(failures, len(BACK_OFF) - 1)]
            failures += 1
            print(f"{self.name} ended by itself ({ending(code)}); starting it again in {delay:g} s.", flush=True)
            self._pause(delay)

    @property
    def _over(self) -> bool:
        return self._told or not processes.lives(*self.owner)

    def _tell(self, _number: int, _frame: FrameType | None) -> None:
        self._told = True

    def _overhear(self, _number: int, _frame: FrameType | None) -> None:
        """Ctrl-C is for the owner, who tells."""

    def _spawn(self) -> subprocess.Popen[bytes]:
        mortal = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        process = subprocess.Popen([*mortal, *self.command()], cwd=PROJECT, start_new_session=True)
        self.children.record(self.name, process.pid)
        return process

    def _attend(self, process: subprocess.Popen[bytes]) -> int:
        # Looked at, not waited for: until it is reaped its id is nobody else's, and its session can be cleared.
        while not self._over and _works(process.pid):
            time.sleep(_LOOK_SECONDS)
        if _works(process.pid):
            processes.end(process.pid, signal.SIGTERM, GRACE_SECONDS)
        processes.kill(process.pid)
        _forget_metrics(process.pid)
        self.children.forget(self.name)
        return process.wait()

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._over and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)


def _works(pid: int) -> bool:
    seen = processes.look(pid)
    return seen is not None and not seen.ended


def _forget_metrics(pid: int) -> None:
    """What a process that has died said of itself in the shared metrics."""
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        with suppress(FileNotFoundError):
            mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


def words(name: str, layout: Layout, port: int) -> list[str]:
    """The command that keeps ``name`` alive for as long as this process lives."""
    me = processes.look(os.getpid())
    owner = f"{me.pid}:{me.ticks}" if me else ""
    return [sys.executable, "-m", "backoffice.localstack.keep", name, str(layout.data), str(port), owner]


def main(name: str, data: str, port: str, owner: str) -> None:
    layout = Layout(Path(data))
    children = Children(layout.apps)
    pid, ticks = map(int, owner.split(":"))
    children.record(f"{name}.keeper", os.getpid())
    keeper = Keeper(name, lambda: apps.command(name, layout, int(port)), (pid, ticks), children)
    try:
        keeper.run()
    finally:
        children.forget(f"{name}.keeper")


if __name__ == "__main__":
    main(*sys.argv[1:])
