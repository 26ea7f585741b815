"""Messages that came behind newer ones of their keys: replays, and tombstones, which are about what was seen then.

Tables and rebuilds take them by the place that they name. Compaction does not: it keeps what comes last.
"""

from ..consume.batch import Batch
from ..database import Connection
from ..deletions import DELETIONS
from ..outbox.outdated import told_since
from ..standing import Standing


def outdated(connection: Connection, batch: Batch) -> list[str]:
    """The keys of which the tables have what stands between such a message of the batch and what that is about."""
    if not batch.replayed or batch.topic not in DELETIONS:
        return []
    seen: list[tuple[str, Standing]] = []
    own: list[Standing] = []
    for row in batch.living():
        place = batch.logged[row], batch.offsets[row]
        if batch.standing(row) != place:
            seen.append(((batch.keys[row] or b"").decode(), batch.standing(row)))
            own.append(place)
    newer = told_since(connection, batch.topic, seen)
    return sorted({seen[number][0] for number, place in newer.items() if place < own[number]})
