"""`exec`: a command with a stack around it."""

import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from . import interrupts
from .errors import StackError
from .layout import Layout
from .memory import in_memory
from .stack import locked_data, started

GRACE_SECONDS = 10.0
# What all tests together hold at most, and as much again for themselves.
ROOM = 8 << 30

log = logging.getLogger(__name__)


def execute(argv: list[str], *, data: Path, fresh: bool, memory: bool, umask: int) -> int:
    """Run the command with the servers' addresses in its environment; its exit code.

    ``fresh`` empties the data folder first: tests make topics and subjects without end. With ``memory`` the servers
    hold their data in memory where there is room, and nothing of it stays. ``umask`` is the person's own, for the
    command alone.
    """
    command = argv[1:] if argv[:1] == ["--"] else argv
    if not command:
        raise StackError("exec needs a command: python -m backoffice.localstack exec -- COMMAND ...")
    interrupts.catch()
    with locked_data(data) as (layout, _):
        if fresh:
            _empty(layout)
        with _held(layout, memory) as held, started(held) as stack:
            return _run(command, os.environ | stack.environ(), umask)


@contextmanager
def _held(layout: Layout, memory: bool) -> Iterator[Layout]:
    if not memory:
        yield layout
        return
    # PostgreSQL runs as another user where we are root.
    with in_memory(layout, "servers", ROOM, mode=0o711) as folder:
        if folder is None:
            log.info("Less than %d GB of memory are free: the servers' data go to %s.", ROOM >> 30, layout.data)
        yield replace(layout, held=folder)


def _run(command: list[str], environ: dict[str, str], umask: int) -> int:
    try:
        process = subprocess.Popen(command, env=environ, umask=umask)
    except (FileNotFoundError, PermissionError) as reason:
        raise StackError(f"{command[0]} is no command here ({reason.strerror}); give its path.") from reason
    try:
        code = process.wait()
    except interrupts.Interrupted as request:
        code = _end(process, request.number)
    return code if code >= 0 else 128 - code


def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    # Ctrl-C reached the command too, it stands in the same group; any other signal came to us alone.
    if number != signal.SIGINT:
        process.send_signal(number)
    try:
        return process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _empty(layout: Layout) -> None:
    for entry in layout.data.iterdir():
        if entry != layout.run:
            shutil.rmtree(entry)
    layout.make()
