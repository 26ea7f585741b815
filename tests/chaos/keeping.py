"""What is kept of a seed that failed: its verdict, what its workers said, and the servers' logs."""

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from backoffice.localstack.supervise import Part


def keep(folder: Path, seed: int, servers: Iterable[Part], said: Path, told: str) -> Path:
    """Copy all of it into a folder of this seed; returns that."""
    kept = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-seed-{seed}"
    kept.mkdir(parents=True)
    (kept / "verdict.txt").write_text(f"{told}\n")
    shutil.copy(said, kept / "workers.log")
    for part in servers:
        if (log := part.server.layout.log(part.name)).exists():
            shutil.copy(log, kept / log.name)
    return kept
