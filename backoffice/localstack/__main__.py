"""``python -m backoffice.localstack``: the commands behind the Makefile."""

import argparse
import errno
import logging
import sys
from pathlib import Path

from .errors import StackError
from .execute import execute
from .layout import TEST_DATA

MENDS = {
    errno.ENOSPC: "free some space and try again",
    errno.EDQUOT: "free some space and try again",
    errno.EACCES: "give yourself access to it, or run as the user who owns it",
    errno.EPERM: "give yourself access to it, or run as the user who owns it",
    errno.EROFS: "put the project where it can be written",
}


def main(words: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    parser = argparse.ArgumentParser(prog="python -m backoffice.localstack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run_in = commands.add_parser("exec", help="start the servers, run a command with their addresses, stop them")
    run_in.add_argument(
        "--data", type=Path, default=None, help="keep this folder (default: .local/test, emptied first)"
    )
    run_in.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")
    options = parser.parse_args(words)
    try:
        return execute(options.argv, data=options.data or TEST_DATA, fresh=options.data is None)
    except StackError as reason:
        print(reason, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except OSError as reason:
        if reason.errno not in MENDS:
            raise
        print(f"{reason.filename or 'A file'}: {reason.strerror}; {MENDS[reason.errno]}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
