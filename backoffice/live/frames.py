"""What goes over the wire: each frame is one JSON object, encoded once for all who get it. Times are ms since 1970."""

from datetime import datetime

import orjson

from backoffice.kernel.clock import milliseconds

from .board import Change, Rows


def snapshot(publication: str, seq: int, rows: Rows, *, at: datetime, now: datetime) -> bytes:
    """All rows; ``at`` is when they were last known to be so, ``now`` is the server's clock."""
    return orjson.dumps(_head("snapshot", publication, seq, at, now) | {"rows": rows})


def diff(publication: str, seq: int, change: Change, *, at: datetime, now: datetime) -> bytes:
    """What changed from frame ``seq`` - 1 on: first drop, then set."""
    return orjson.dumps(_head("diff", publication, seq, at, now) | {"set": change.set, "drop": change.drop})


def same(publication: str, seq: int, *, at: datetime, now: datetime) -> bytes:
    """The rows of frame ``seq`` are still right."""
    return orjson.dumps(_head("same", publication, seq, at, now))


def refused(publication: str, why: str) -> bytes:
    """Nothing will come of this publication, or of this message; the reason says what to do."""
    return orjson.dumps({"type": "refused", "publication": publication, "why": why})


def _head(kind: str, publication: str, seq: int, at: datetime, now: datetime) -> dict[str, object]:
    return {"type": kind, "publication": publication, "seq": seq, "at": milliseconds(at), "now": milliseconds(now)}
