"""Loopback ports: chosen once, remembered, chosen anew when somebody else sits there."""

import json
import os
import random
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from . import processes
from .errors import StackError

LOOPBACK = "127.0.0.1"
# Below the range from which Linux takes the ports of outgoing connections: nobody borrows one between two runs.
CANDIDATES = range(15_000, 32_000)
_LISTENS = "0A"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def answers(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def holder(port: int) -> str:
    """Who listens there, as far as this user may see."""
    for process in processes.everyone():
        if _inodes(port) & _sockets(process.pid):
            words = (processes.PROC / str(process.pid) / "comm").read_text().strip()
            return f"{words} (pid {process.pid})"
    return "a program of another user"


def _inodes(port: int) -> set[str]:
    """The kernel's numbers of the sockets that listen on a port."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in _lines(processes.PROC / "net" / name)]
    return {row[9] for row in rows if row[3] == _LISTENS and row[1].endswith(f":{port:04X}")}


def _lines(table: Path) -> list[str]:
    return table.read_text().splitlines()[1:] if table.exists() else []


def _sockets(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):  # It ended meanwhile, or is another user's.
        for entry in os.listdir(processes.PROC / str(pid) / "fd"):
            with suppress(FileNotFoundError):
                found.add(os.readlink(processes.PROC / str(pid) / "fd" / entry))
    return {link.removeprefix("socket:[").rstrip("]") for link in found}


def choose(taken: Iterable[int] = ()) -> int:
    for _ in range(200):
        port = random.choice(CANDIDATES)
        if port not in set(taken) and is_free(port):
            return port
    raise StackError("No free port between 15000 and 32000 on 127.0.0.1; end what listens there and try again.")


def first_free(start: int) -> int:
    """The port itself or the next free one within a hundred."""
    for port in range(start, start + 100):
        if is_free(port):
            return port
    raise StackError(f"No free port from {start} to {start + 99} on 127.0.0.1; set PITBOSS_PORT to one that is.")


def remembered(file: Path, names: Iterable[str]) -> dict[str, int]:
    """A free port for each name, the same as last time where possible."""
    try:
        known = {str(name): int(port) for name, port in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        known = {}
    chosen: dict[str, int] = {}
    for name in names:
        port = known.get(name)
        chosen[name] = port if port and is_free(port) else choose({*chosen.values(), *known.values()})
    file.write_text(json.dumps(known | chosen, indent=1))
    return chosen
