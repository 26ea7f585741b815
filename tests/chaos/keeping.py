"""What is kept of a seed that failed: its verdict, what its workers said, and the servers' logs."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from backoffice.localstack.stack import Stack


def keep(folder: Path, seed: int, stack: Stack, said: Path, told: str) -> Path:
    """Copy all of it into a folder of this seed; returns that."""
    kept = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-seed-{seed}"
    kept.mkdir(parents=True)
    (kept / "verdict.txt").write_text(f"{told}\n")
    shutil.copy(said, kept / "workers.log")
    for name in stack.parts:
        if (log := stack.layout.log(name)).exists():
            shutil.copy(log, kept / log.name)
    return kept
