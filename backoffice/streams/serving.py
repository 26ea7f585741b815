"""Where a worker answers Prometheus by itself. It stores money: for want of a port it does not end."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import start_http_server

_PROC = Path("/proc")
_LISTENS = "0A"


class MetricsPort:
    """``METRICS_PORT`` of this process; 0 is none. What is in its way may go: it can be tried again."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._is_open = not number

    def open(self) -> str:
        """Empty where it answers, or none is wanted; else what is in the way, and what to do about it."""
        if self._is_open:
            return ""
        try:
            start_http_server(self._number)
        except OSError as error:
            return f"METRICS_PORT {self._number} {_in_the_way(self._number, error)}"
        self._is_open = True
        return ""


def _in_the_way(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"is taken by {holder(port)}: end that, or give this worker another port"
    if error.errno == errno.EACCES:
        return "is not allowed to our user: give this worker a port above 1023, or the user the right"
    return f"cannot be served ({error.strerror}): give this worker another port"


def holder(port: int) -> str:
    """Who listens there, as far as this user may see."""
    listening = {f"socket:[{number}]" for number in _inodes(port)}
    for process in _PROC.glob("[0-9]*"):
        if listening & _opened(process):
            # It may have ended meanwhile.
            with suppress(OSError):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return "a program of another user"


def _opened(process: Path) -> set[str]:
    found = set()
    # It ended, or is another user's; or a file was closed while they were looked at.
    with suppress(OSError):
        for name in os.listdir(process / "fd"):
            with suppress(FileNotFoundError):
                found.add(os.readlink(process / "fd" / name))
    return found


def _inodes(port: int) -> set[str]:
    """The kernel's numbers of the sockets that listen on a port."""
    tables = [table for name in ("tcp", "tcp6") if (table := _PROC / "net" / name).exists()]
    rows = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == _LISTENS and row[1].endswith(f":{port:04X}")}
