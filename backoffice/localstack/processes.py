"""Processes as the kernel sees them: who lives, who descends from whom, and ending them for certain.

A process is named by its id **and** its start time in clock ticks since boot, because ids are used again.
"""

import os
import signal
import time
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


def family(pid: int) -> set[int]:
    """The process, all that descend from it, and what is left in its session."""
    table = everyone()
    members = {pid} | {process.pid for process in table if process.session == pid}
    while more := {process.pid for process in table if process.parent in members} - members:
        members |= more
    return members


def kill_family(pid: int) -> None:
    """SIGKILL to the whole family. The head is halted first: it cannot fork between the look and the blow.

    A group signal would not do: each backend of PostgreSQL leads a session of its own.
    """
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    for member in family(pid) - {os.getpid()}:
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def gone(members: set[int], timeout: float) -> bool:
    """Whether all of these have ended in time."""
    until = time.monotonic() + timeout
    while any((process := look(pid)) and not process.ended for pid in members):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
