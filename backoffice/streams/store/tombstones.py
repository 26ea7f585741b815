"""Tombstones that came behind newer messages of their keys, which they are not about."""

from ..consume.batch import Batch
from ..database import Connection
from ..outbox.outdated import told_since
from ..standing import Standing


def outdated(connection: Connection, batch: Batch) -> list[str]:
    """The keys of which the tables have what stands between such a tombstone of the batch and what that is about."""
    seen: list[tuple[str, Standing]] = []
    own: list[Standing] = []
    for row in [row for row, value in enumerate(batch.values) if value is None and row not in batch.dead]:
        place = batch.logged[row], batch.offsets[row]
        if batch.standing(row) != place:
            seen.append(((batch.keys[row] or b"").decode(), batch.standing(row)))
            own.append(place)
    newer = told_since(connection, batch.topic, seen)
    return sorted({seen[number][0] for number, place in newer.items() if place < own[number]})
