"""The records by which the next start finds what a killed predecessor left behind."""

import json
import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import processes

log = logging.getLogger(__name__)


class Children:
    """One small file per child process: its id, start ticks and the signal that ends it cleanly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def record(self, name: str, pid: int, stop_signal: signal.Signals = signal.SIGTERM) -> None:
        process = processes.look(pid)
        if process is None:
            return
        draft = self.folder / f".{name}"
        draft.write_text(json.dumps({"pid": pid, "ticks": process.ticks, "signal": int(stop_signal)}))
        draft.replace(self.folder / name)

    def forget(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def pid(self, name: str) -> int | None:
        """The living child of this name."""
        found = _read(self.folder / name)
        return found[0] if found and processes.lives(found[0], found[1]) else None

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self.folder.glob("[!.]*")) if self.folder.is_dir() else []

    def sweep(self, grace: float = 5.0) -> None:
        """End every recorded process that still lives, first politely, and what the dead ones left behind."""
        found = [(name, *entry) for name in self.names() if (entry := _read(self.folder / name))]
        living = [entry for entry in found if entry[1] != os.getpid() and processes.lives(entry[1], entry[2])]
        for name, pid, _, _ in living:
            log.info("Ending %s (pid %d), left over by an earlier run.", name, pid)
        if living:
            with ThreadPoolExecutor(len(living)) as pool:
                for _, pid, _, number in living:
                    pool.submit(processes.end, pid, signal.Signals(number), grace)
        for _, pid, ticks, _ in found:
            processes.kill_all(processes.orphans(pid, ticks))
        for name in self.names():
            self.forget(name)


def _read(path: Path) -> tuple[int, int, int] | None:
    try:
        content = json.loads(path.read_text())
        return int(content["pid"]), int(content["ticks"]), int(content["signal"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # Half written by a process that was killed meanwhile: it names nobody.
