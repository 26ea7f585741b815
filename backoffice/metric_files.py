"""The folder in which processes of one machine share their metrics (PROMETHEUS_MULTIPROC_DIR).

prometheus_client maps files there that are all holes: writing into a hole on a full disk is no error but a bus error,
which ends the process without a word. Here the blocks of a file are reserved before anything maps them, and a file that
cannot be had is replaced by memory of the process, which goes on and says so. A file is locked for as long as its
process lives: in containers two processes may have one number, and none sees whether one of another container lives.
"""

import fcntl
import logging
import mmap
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import multiprocess, values
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# Bytes of a new file; prometheus_client's own measure.
_FIRST = 1 << 16
# Bytes that a process needs at most, with a file for each kind of metric, few of which ever grow, and a machine.
FOR_ONE, FOR_ALL = 1 << 20, 8 << 20
_NEXT = f"give that folder room, or name another one in {VARIABLE}"
# Its first bytes say how many are in use: at least these eight.
_HEAD = 8
# For so long somebody looks whether the process lives whose file it is.
_LOOK_SECONDS = 0.05
# An entry is its length, its key, padded to eight bytes, and two doubles: no less than this.
_ENTRY = 24
# Its key, value, time and the place of its value.
Entry = tuple[str, float, float, int]

log = logging.getLogger(__name__)
# Files of this process that are in its memory alone, and why the first of them is.
_alone: dict[str, "ReservedFile"] = {}
_why: list[str] = []


class TakenError(Exception):
    """Another process writes the file: of another container, which has this folder and its own numbers."""


class ReservedFile(MmapedDict):
    """One file of one process, whose blocks are there before they are mapped; else memory of the process alone."""

    # None where it is in memory.
    _f: Any

    def __init__(self, filename: str) -> None:
        try:
            descriptor = _reserved(filename, _FIRST)
            try:
                super().__init__(filename)  # type: ignore[no-untyped-call]
            except BaseException:
                os.close(descriptor)
                raise
            # It was opened to append; where a disk cannot reserve, libc writes into each block instead, but not then.
            self._f.close()
            self._f = os.fdopen(descriptor, "r+b")
        except Exception as error:  # noqa: BLE001 - bytes of a file that is torn can be taken for anything
            self._fname, self._f, self._positions = _another(filename, error), None, {}
            self._in_memory(_HEAD.to_bytes(4, "little"), _FIRST)
            self._used = _HEAD
            self._tell(error)

    @staticmethod
    def read_all_values_from_file(filename: str) -> Iterator[Entry]:
        """What is in memory its own process tells; a file that has just been made or taken away is empty."""
        if (own := _alone.get(filename)) is not None:
            return own._read_all_values()
        with suppress(FileNotFoundError):
            if os.stat(filename).st_size >= _HEAD:
                return _sound(MmapedDict.read_all_values_from_file(filename), filename)  # type: ignore[no-untyped-call]
        return iter(())

    def _read_all_values(self) -> Iterator[Entry]:
        return _sound(super()._read_all_values(), self._fname)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        _alone.pop(self._fname, None)
        super().close()  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        needed, capacity = self._used + len(key.encode()) + 28, self._capacity
        while needed > capacity:
            capacity *= 2
        if capacity > self._capacity:
            self._grow(capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _grow(self, capacity: int) -> None:
        try:
            if self._f is not None:
                os.posix_fallocate(self._f.fileno(), 0, capacity)
                self._m, self._capacity = mmap.mmap(self._f.fileno(), capacity), capacity
                return
        except OSError as error:
            self._f.close()
            self._f = None
            self._in_memory(self._m[:], capacity)
            self._tell(error)
            return
        self._in_memory(self._m[:], capacity)

    def _in_memory(self, held: bytes, capacity: int) -> None:
        self._m, self._capacity = mmap.mmap(-1, capacity), capacity
        self._m[: len(held)] = held

    def _tell(self, error: Exception) -> None:
        """Once for the process. What others could still read in the file would be true no more."""
        _alone[self._fname] = self
        with suppress(OSError):
            os.remove(self._fname)
        if not _why:
            _why.append(f"{Path(self._fname).parent}: {_said(error)}")
            log.error("%s", alone())


class SharedNumbers(Collector):
    """What all processes that share the folder count, and this one where it counts alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        files = {*map(str, self._folder.glob("*.db")), *_alone}
        yield from MultiProcessCollector.merge(sorted(files))  # type: ignore[no-untyped-call]


def reserve() -> None:
    """Have every file reserved that is made from now on; before any metric is made."""
    for module in (values, multiprocess):
        module.MmapedDict = ReservedFile  # type: ignore[attr-defined]


def alone() -> str:
    """Why others do not see all that this process counts, and what to do about it; empty where they do."""
    return f"metrics are of this process only: {_why[0]}; {_NEXT}, then start this process again" if _why else ""


def lacks(folder: Path, wanted: int) -> str:
    """Why so many bytes more cannot be shared in the folder, and what to do about it; empty where they can."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, wanted)
    except OSError as error:
        return f"metrics of a process that starts now are of itself only: {folder}: {_said(error)}; {_NEXT}"
    return ""


def _sound(entries: Iterable[Entry], name: str) -> Iterator[Entry]:
    """What is read of a file of that name. A length below zero would lead back: wrong keys, or one entry for ever.

    Raises:
        ValueError: the file is torn. Its bytes can be taken for anything, and each has an error of its own.
    """
    # Values end their entries: one that ended at the head would have had its value here.
    last = _HEAD - 16
    try:
        for key, value, at, place in entries:
            if not key or place - last < _ENTRY:
                raise ValueError("an entry in it is shorter than any")
            yield key, value, at, place
            last = place
    except Exception as error:
        raise ValueError(f"{Path(name).name} is torn: {error}") from error


def _reserved(filename: str, size: int) -> int:
    """A descriptor of the file, which has its blocks and is this process' own.

    Raises:
        TakenError: it is another's.
    """
    while True:
        descriptor = os.open(filename, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
            os.posix_fallocate(descriptor, 0, max(size, os.fstat(descriptor).st_size))
            # Before it was locked it may have been removed, as one of a process that has ended.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(filename), os.fstat(descriptor)):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _another(filename: str, error: Exception) -> str:
    """A name of our own where the file is another's: that stays, and is read beside what we hold."""
    return f"{filename.removesuffix('.db')}b.db" if isinstance(error, TakenError) else filename


def _lock(descriptor: int) -> None:
    until = time.monotonic() + _LOOK_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise TakenError(
                    "another process of this number writes there, of a container that has it too"
                ) from None
            time.sleep(_LOOK_SECONDS / 10)


def _said(error: Any) -> str:
    return getattr(error, "strerror", None) or str(error)
