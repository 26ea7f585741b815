"""The engine's state as a file, from which a later start goes on.

The file is a zip of plain arrays (NumPy's npz) that is read without pickle, so that nothing in it can be executed. It
carries its format's version and a checksum, and takes the place of the one before in one step: after a crash there is
the old state or the new one, whole.
"""

import hashlib
import io
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from backoffice.kernel.errors import Rejected
from backoffice.simulator.operator.arrays import Rows
from backoffice.simulator.operator.faults import Fault
from backoffice.simulator.operator.people import PLAYER
from backoffice.simulator.operator.tickets import BET
from backoffice.simulator.operator.world import World

VERSION = 3
_NUMBERS = ("seed", "now", "planned", "wanted", "level", "growth", "grown_at", "feed_rate", "numbers", "is_live")


def save(world: World, file: Path) -> None:
    """Write the state; it is on disk when this returns."""
    write(dumped(world), file)


def dumped(world: World) -> bytes:
    """The state as it is now, as a file's content."""
    buffer = io.BytesIO()
    np.savez(buffer, head=_bytes(_head(world)), players=world.players, bets=world.bets)
    content = buffer.getvalue()
    return hashlib.sha256(content).digest() + content


def write(content: bytes, file: Path) -> None:
    """Put a dumped state in the place of the one before; it is on disk when this returns."""
    beside = file.with_name(f"{file.name}.new")
    with beside.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(file)


def load(file: Path) -> World:
    """The world as it was saved.

    Raises:
        Rejected: the file is damaged, or another version of the engine wrote it.
    """
    whole = file.read_bytes()
    digest, content = whole[:32], whole[32:]
    if hashlib.sha256(content).digest() != digest:
        raise Rejected(f"{file} is damaged; remove it, and the simulator starts with new players.")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        head: dict[str, Any] = json.loads(arrays["head"].tobytes())
        if head["version"] != VERSION or (arrays["players"].dtype, arrays["bets"].dtype) != (PLAYER, BET):
            raise Rejected(f"{file} is of another version; remove it, and the simulator starts with new players.")
        return _world(head, arrays["players"], arrays["bets"])


def _head(world: World) -> dict[str, Any]:
    numbers = {name: getattr(world, name) for name in _NUMBERS}
    return numbers | {"version": VERSION, "faults": [asdict(fault) for fault in world.faults]}


def _world(head: dict[str, Any], players: Rows, bets: Rows) -> World:
    faults = tuple(Fault(**fault) for fault in head["faults"])
    return World(**{name: head[name] for name in _NUMBERS}, faults=faults, players=players, bets=bets)


def _bytes(head: dict[str, Any]) -> Any:
    return np.frombuffer(json.dumps(head).encode(), np.uint8)
