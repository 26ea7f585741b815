"""Processes as the kernel sees them: who lives, who descends from whom, and ending them for certain.

A process is named by its id **and** its start time in clock ticks since boot, because ids are used again.
"""

import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Seen:
    """One line of the process table."""

    pid: int
    parent: int
    session: int
    ticks: int
    ended: bool


def look(pid: int) -> Seen | None:
    """The process with this id, or None where there is none."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The command stands in parentheses and may itself hold spaces and parentheses; the numbers follow the last one.
    fields = stat.rpartition(")")[2].split()
    return Seen(pid, int(fields[1]), int(fields[3]), int(fields[19]), ended=fields[0] in "ZX")


def everyone() -> list[Seen]:
    seen = (look(int(entry)) for entry in os.listdir(PROC) if entry.isdigit())
    return [process for process in seen if process is not None]


def lives(pid: int, ticks: int) -> bool:
    process = look(pid)
    return process is not None and process.ticks == ticks and not process.ended


def family(pid: int) -> set[Seen]:
    """The process, all that descend from it, and what is left in its session."""
    table = everyone()
    members = {process for process in table if pid in (process.pid, process.session)}
    while True:
        parents = {process.pid for process in members}
        more = {process for process in table if process.parent in parents} - members
        if not more:
            return members
        members |= more


def gone(members: Collection[Seen], timeout: float) -> bool:
    """Whether all of these have ended in time."""
    until = time.monotonic() + timeout
    while any(lives(process.pid, process.ticks) for process in members):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def end(pid: int, number: signal.Signals, grace: float) -> None:
    """Ask a process group to end, and kill what is left of the whole family when ``grace`` seconds are over."""
    members = family(pid)
    signal_group(pid, number)
    if not gone(members, grace):
        kill(pid, members)


def orphans(pid: int, ticks: int) -> set[Seen]:
    """What is left in the session of a process that has ended. Empty where its id is somebody else's by now."""
    table = everyone()
    if any(process.pid == pid and process.ticks != ticks for process in table):
        return set()
    return {process for process in table if process.session == pid and process.ticks >= ticks and not process.ended}


def kill(pid: int, members: Collection[Seen] = ()) -> None:
    """SIGKILL to the whole family. The head is halted first: it cannot fork between the look and the blow.

    A group signal would not do: each backend of PostgreSQL leads a session of its own.
    """
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    kill_all({*members, *family(pid)})


def kill_all(members: Collection[Seen]) -> None:
    """SIGKILL to each of these that still lives, and wait for their end."""
    for process in members:
        if process.pid != os.getpid() and lives(process.pid, process.ticks):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
    gone(members, timeout=5.0)


def signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
