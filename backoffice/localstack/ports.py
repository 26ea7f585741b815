"""Loopback ports: chosen once, remembered, chosen anew when somebody else sits there."""

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

from .errors import StackError

LOOPBACK = "127.0.0.1"
# Below the range from which Linux takes the ports of outgoing connections: nobody borrows one between two runs.
CANDIDATES = range(15_000, 32_000)


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
