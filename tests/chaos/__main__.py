"""Gives spoilt messages to both readers, then plays the seeds on servers of its own.

Exit 1 if the readers differ on a message, or if anything was lost, doubled or out of order.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import django


def main() -> int:
    asked = _arguments()
    os.environ["DJANGO_SETTINGS_MODULE"] = "backoffice.settings.test"
    django.setup()
    from backoffice.localstack.stack import running_stack
    from tests import databases
    from tests.chaos.decoders import run
    from tests.chaos.play import play
    from tests.chaos.verdict import Verdict, line, summary

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="pitboss-chaos-"))
    verdicts: list[Verdict] = []
    read = run(asked.first, asked.messages)
    print(read, flush=True)
    try:
        with running_stack(folder / "stack", outside={}) as stack, _log(asked.log).open("ab") as log:
            databases.migrated(stack.environ()["DATABASE_URL"], "template_chaos")
            for seed in range(asked.first, asked.first + asked.seeds):
                began = time.monotonic()
                verdicts.append(
                    play(
                        seed, stack, "template_chaos", seconds=asked.seconds, rate=asked.rate, output=log.fileno()
                    )
                )  # fmt: skip
                print(line(seed, verdicts[-1], time.monotonic() - began), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(summary(verdicts))
    return 0 if not read.differing and all(verdict.passed for verdict in verdicts) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--messages", type=int, default=1_000_000, help="how many spoilt messages both readers get")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each is disturbed")
    parser.add_argument("--rate", type=int, default=1_000, help="messages a second")
    parser.add_argument("--log", type=Path, help="a file for what the workers say (default: thrown away)")
    return parser.parse_args()


def _log(path: Path | None) -> Path:
    return path or Path(os.devnull)


if __name__ == "__main__":
    sys.exit(main())
