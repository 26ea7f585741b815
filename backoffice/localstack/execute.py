"""`exec`: a command with a stack around it."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from . import interrupts
from .errors import StackError
from .layout import Layout
from .stack import locked_data, started

GRACE_SECONDS = 10.0


def execute(argv: list[str], *, data: Path, fresh: bool, umask: int) -> int:
    """Run the command with the servers' addresses in its environment; its exit code.

    ``fresh`` empties the data folder first: tests make topics and subjects without end. ``umask`` is the person's own,
    for the command alone.
    """
    command = argv[1:] if argv[:1] == ["--"] else argv
    if not command:
        raise StackError("exec needs a command: python -m backoffice.localstack exec -- COMMAND ...")
    interrupts.catch()
    with locked_data(data) as (layout, _):
        if fresh:
            _empty(layout)
        with started(layout) as stack:
            return _run(command, os.environ | stack.environ(), umask)


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
