"""Gives spoilt messages to both readers, then plays the seeds on servers of its own.

Exit 1 if the readers differ on a message, if a seed failed, or if anything was lost, doubled or out of order. What the
workers and servers said during a seed that failed is kept.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from tests.chaos.ground import Ground
    from tests.chaos.verdict import Verdict


def main() -> int:
    asked = _arguments()
    os.environ["DJANGO_SETTINGS_MODULE"] = "backoffice.settings.test"
    django.setup()
    from tests.chaos.decoders import run
    from tests.chaos.ground import grounds
    from tests.chaos.verdict import Verdict, summary

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="pitboss-chaos-"))
    verdicts: dict[int, Verdict] = {}
    read = run(asked.first, asked.messages)
    print(read, flush=True)
    try:
        with grounds(folder) as ground_of:
            for seed in range(asked.first, asked.first + asked.seeds):
                verdicts[seed] = _played(seed, ground_of(seed), folder / f"seed-{seed}.log", asked)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(summary(verdicts, differing=read.differing))
    passed = len(verdicts) == asked.seeds and all(verdict.passed for verdict in verdicts.values())
    return 0 if passed and not read.differing else 1


def _played(seed: int, ground: "Ground", said: Path, asked: argparse.Namespace) -> "Verdict":
    """The verdict on a seed, told; of one that failed all that was said is kept."""
    from tests.chaos.keeping import keep
    from tests.chaos.play import play
    from tests.chaos.verdict import line

    began = time.monotonic()
    with said.open("ab") as log:
        verdict = play(seed, ground, seconds=asked.seconds, rate=asked.rate, output=log.fileno())
    told = line(seed, verdict, time.monotonic() - began)
    if not verdict.passed:
        verdict.kept = str(keep(asked.logs, seed, ground.parts(), said, told, verdict.books))
    said.unlink()
    print(told, flush=True)
    return verdict


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--messages", type=int, default=1_000_000, help="how many spoilt messages both readers get")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each is disturbed")
    parser.add_argument("--rate", type=int, default=1_000, help="messages a second")
    parser.add_argument(
        "--logs", type=Path, default=Path(".local/chaos"), help="where the logs of failed seeds are kept"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
