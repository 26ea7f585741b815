"""One stack per data folder."""

import fcntl
import json
import os
from pathlib import Path

from .errors import StackError


class RunLock:
    """Held by the process that owns a data folder; the kernel lets go of it however that process ends."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._handle: int | None = None

    def acquire(self) -> None:
        """
        Raises:
            StackError: a living process holds it; the text says which, and how to stop it.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise StackError(f"Pitboss already runs here: {holder(self.file)}. Stop it with Ctrl-C there.") from None
        self._handle = handle
        # A forked child would hold the lock for as long as it lives.
        os.register_at_fork(after_in_child=self._drop)
        self.describe(str(self.file.parent.parent))

    def describe(self, address: str) -> None:
        """What a second start tells its user about this one."""
        self.file.write_text(json.dumps({"pid": os.getpid(), "address": address}))

    def release(self) -> None:
        self.file.write_text("")
        self._drop()

    def _drop(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def is_held(file: Path) -> bool:
    """Whether somebody holds it right now."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


def holder(file: Path) -> str:
    """Address and process of the holder, for people."""
    try:
        content = json.loads(file.read_text())
        return f"{content['address']} (pid {content['pid']})"
    except (OSError, ValueError, KeyError):
        return "it is just starting or ending"
