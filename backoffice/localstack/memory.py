"""Folders in memory, for what need not outlive a run: no disk is waited for, and none fills."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .layout import Layout

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
PURPOSES = ("metrics", "servers")
_MOUNTS = Path("/proc/self/mounts")
_FREE = Path("/proc/meminfo")


@contextmanager
def in_memory(layout: Layout, purpose: str, room: int, mode: int = 0o700) -> Iterator[Path | None]:
    """An empty folder until the block ends; none where so many bytes are not free, or somebody else has its name."""
    folder = place(layout, purpose)
    shutil.rmtree(folder, ignore_errors=True)  # What a killed predecessor left.
    if not is_in_memory(MEMORY) or free() < room or not _made(folder, mode):
        yield None
        return
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def forget(layout: Layout) -> None:
    """Delete what a killed run of this data folder left in memory."""
    for purpose in PURPOSES:
        shutil.rmtree(place(layout, purpose), ignore_errors=True)


def is_in_memory(folder: Path) -> bool:
    with suppress(OSError):
        mounts = [line.split()[1:3] for line in _MOUNTS.read_text().splitlines()]
        return [str(folder), "tmpfs"] in mounts
    return False


def free() -> int:
    """Bytes that may be put there; the machine may have less than the folder allows."""
    available = re.search(r"^MemAvailable: +(\d+) kB$", _FREE.read_text(), re.MULTILINE)
    allowed = shutil.disk_usage(MEMORY).free
    return min(allowed, int(available[1]) << 10) if available else allowed


def place(layout: Layout, purpose: str) -> Path:
    """Where its folder is, if it is there."""
    return MEMORY / f"pitboss-{purpose}-{hashlib.sha256(str(layout.run.resolve()).encode()).hexdigest()[:16]}"


def _made(folder: Path, mode: int) -> bool:
    try:
        folder.mkdir(mode=mode)
    except OSError:
        return False
    return True
