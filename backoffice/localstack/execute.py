"""`exec`: a command with a stack around it."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from types import FrameType

from .errors import StackError
from .layout import Layout
from .stack import locked_data, started

GRACE_SECONDS = 10.0


def execute(argv: list[str], *, data: Path, fresh: bool) -> int:
    """Run the command with the servers' addresses in its environment; its exit code.

    ``fresh`` empties the data folder first: tests make topics and subjects without end.
    """
    command = argv[1:] if argv[:1] == ["--"] else argv
    if not command:
        raise StackError("exec needs a command: python -m backoffice.localstack exec -- COMMAND ...")
    signal.signal(signal.SIGTERM, _interrupt)
    with locked_data(data) as (layout, _):
        if fresh:
            _empty(layout)
        with started(layout) as stack:
            return _run(command, os.environ | stack.environ())


def _run(command: list[str], environ: dict[str, str]) -> int:
    try:
        process = subprocess.Popen(command, env=environ)
    except FileNotFoundError as reason:
        raise StackError(f"{command[0]} is no command here; give its path.") from reason
    while True:
        try:
            return _code(process.wait())
        except KeyboardInterrupt:
            # Ctrl-C reached the command too, it stands in the same group; a SIGTERM came to us alone.
            process.terminate()
            try:
                return _code(process.wait(GRACE_SECONDS))
            except subprocess.TimeoutExpired:
                process.kill()


def _code(code: int) -> int:
    return code if code >= 0 else 128 - code


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _empty(layout: Layout) -> None:
    for entry in layout.data.iterdir():
        if entry != layout.run:
            shutil.rmtree(entry)
    layout.make()
