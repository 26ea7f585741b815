"""What is kept of a seed that failed: its verdict, the streams' books, what its workers said, and the servers' logs."""

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from backoffice.localstack.supervise import Part
from tests.spine import Spine

# The database of a seed goes with it; these say what became of each message that has no row.
_BOOKS = {
    "streams_offset": 'stream, topic, partition, "next", updated_at',
    "streams_halt": "*",
    "streams_stall": "*",
    "streams_repeat": "*",
    "streams_deadletter": 'stream, topic, partition, "offset", record, reason, died_at',
}


def books(spine: Spine) -> str:
    """What the streams' own tables say, a row a line; or why that cannot be told."""
    lines = (
        f"{table} {' | '.join(map(str, row))}"
        for table, columns in _BOOKS.items()
        for row in spine.rows(f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3")
    )
    try:
        return "\n".join(lines)
    except psycopg.Error as error:
        return f"cannot be told: {error}"


def keep(folder: Path, seed: int, servers: Iterable[Part], said: Path, told: str, books: str) -> Path:
    """Copy all of it into a folder of this seed; returns that."""
    kept = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-seed-{seed}"
    kept.mkdir(parents=True)
    (kept / "verdict.txt").write_text(f"{told}\n")
    (kept / "books.txt").write_text(f"{books}\n")
    shutil.copy(said, kept / "workers.log")
    for part in servers:
        if (log := part.server.layout.log(part.name)).exists():
            shutil.copy(log, kept / log.name)
    return kept
