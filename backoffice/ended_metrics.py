"""What processes counted that live no more, in the folder that all processes of a machine share.

Each leaves files of which sums must not go back. They are added to one file a kind of metric, or the folder would fill
up with every restart. Whoever reads the folder meanwhile waits, and whoever is killed in the middle is made up for: a
plan says which files are in the new sum, from one moment on.
"""

import fcntl
import json
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

from .metric_files import ReservedFile

# Kinds of metric whose files are sums of what each process counted; gauges are not.
_KINDS = ("counter", "histogram", "summary")
# The head of a file: how many bytes are in use, and nothing.
_HEAD = struct.Struct("ii")

Counted = dict[str, tuple[float, float]]


@contextmanager
def looking_at(folder: Path) -> Iterator[None]:
    """Within, no file is added to another; any number of processes may look at once. A folder that is not there is
    empty."""
    with _locked(folder, fcntl.LOCK_SH) if folder.is_dir() else nullcontext():
        yield


def forget_ended(folder: Path) -> None:
    """Of processes that live no more, what they said of themselves goes; what they counted is added up.

    Without room for the sum, where a file is torn, or while somebody else looks or adds up, it stays as it is: who asks
    next makes up for it.
    """
    with suppress(OSError, ValueError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
        with _ended(folder.glob("gauge_live*.db")) as gone:
            _remove(gone)
        for kind in _KINDS:
            _add_up(folder, kind)


def _add_up(folder: Path, kind: str) -> None:
    total, new, plan = (folder / f"{kind}_ended{suffix}" for suffix in (".db", ".new", ".plan"))
    if plan.exists() and plan.stat().st_size:
        _carry_out(plan, new, total)
    with _ended(path for path in folder.glob(f"{kind}_*.db") if path != total) as gone:
        if not gone:
            return
        try:
            new.write_bytes(_file_of([*([total] if total.exists() else []), *gone]))
            _write_whole(plan, json.dumps([path.name for path in gone]))
        except (OSError, ValueError):
            # No room, or a file is torn, which `/metrics` names: another time.
            new.unlink(missing_ok=True)
            return
        _carry_out(plan, new, total)


def _carry_out(plan: Path, new: Path, total: Path) -> None:
    """From when the plan is there the new sum holds, whoever is killed when."""
    if new.exists():
        new.replace(total)
    _remove(plan.with_name(name) for name in json.loads(plan.read_text()))
    plan.unlink()


def _file_of(paths: Iterable[Path]) -> bytes:
    """The sums of what the files count, as prometheus_client writes a file: per entry the length of the key, the key
    with at least one blank so that the numbers lie at a multiple of eight bytes, the value, and its time."""
    counted: Counted = {}
    for path in paths:
        for key, value, at, _ in ReservedFile.read_all_values_from_file(str(path)):
            before, last = counted.get(key, (0.0, 0.0))
            counted[key] = before + value, max(last, at)
    entries = b"".join(_entry(key.encode(), *numbers) for key, numbers in counted.items())
    return _HEAD.pack(_HEAD.size + len(entries), 0) + entries


def _entry(key: bytes, value: float, at: float) -> bytes:
    padded = key + b" " * (8 - (len(key) + 4) % 8)
    return struct.pack(f"i{len(padded)}sdd", len(key), padded, value, at)


def _write_whole(path: Path, text: str) -> None:
    begun = path.with_suffix(".begun")
    begun.write_text(text)
    begun.replace(path)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


@contextmanager
def _ended(paths: Iterable[Path]) -> Iterator[list[Path]]:
    """Those that no process writes any more; within, none begins to."""
    with ExitStack() as held:
        found = []
        for path in paths:
            with suppress(OSError):
                file = held.enter_context(path.open("r+b"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found.append(path)
        yield found


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
