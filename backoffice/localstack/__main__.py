"""``python -m backoffice.localstack``: the commands behind the Makefile."""

import argparse
import errno
import logging
import os
import signal
import sys
from pathlib import Path

from .environment import UMASK
from .errors import StackError
from .execute import execute
from .layout import DEFAULT_DATA, TEST_DATA
from .run import run
from .state import reset, status

MENDS = {
    errno.ENOSPC: "free some space and try again",
    errno.EDQUOT: "free some space and try again",
    errno.EACCES: "give yourself access to it, or run as the user who owns it",
    errno.EPERM: "give yourself access to it, or run as the user who owns it",
    errno.EROFS: "put the project where it can be written",
}


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m backoffice.localstack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, does in (
        ("run", "start everything, until Ctrl-C"),
        ("exec", "start the servers, run a command with their addresses, stop them"),
        ("status", "say what runs here"),
        ("reset", "delete what the servers hold"),
    ):
        command = commands.add_parser(name, help=does, description=does)
        default = ".local/test, emptied first" if name == "exec" else ".local"
        command.add_argument("--data", type=Path, help=f"the data folder (default: {default})")
        if name == "exec":
            command.add_argument(
                "--memory", action="store_true", help="the servers' data in memory, and gone at the end"
            )
            command.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")
    return parser.parse_args(words)


def carry_out(options: argparse.Namespace, umask: int) -> int:
    data: Path | None = options.data
    if options.command == "exec":
        return execute(options.argv, data=data or TEST_DATA, fresh=data is None, memory=options.memory, umask=umask)
    action = {"run": run, "status": status, "reset": reset}[options.command]
    return action(data or DEFAULT_DATA)


def main(words: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # What is made here has to be open to the user under whom PostgreSQL runs, whatever the shell says.
    umask = os.umask(UMASK)
    try:
        return carry_out(parse(words), umask)
    except StackError as reason:
        print(reason, file=sys.stderr)
    except KeyboardInterrupt as request:
        return 128 + getattr(request, "number", signal.SIGINT)
    except OSError as reason:
        if reason.errno not in MENDS:
            raise
        print(f"{reason.filename or 'A file'}: {reason.strerror}; {MENDS[reason.errno]}.", file=sys.stderr)
    finally:
        os.umask(umask)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
