"""What goes over the wire: each frame is one JSON object, encoded once for all who get it. Times are ms since 1970."""

from datetime import datetime

import orjson

from .board import Change, Rows


def snapshot(topic: str, seq: int, rows: Rows, *, at: datetime, now: datetime) -> bytes:
    """All rows; ``at`` is when they were last known to be so, ``now`` is the server's clock."""
    return orjson.dumps(_head("snapshot", topic, seq, at, now) | {"rows": rows})


def diff(topic: str, seq: int, change: Change, *, at: datetime, now: datetime) -> bytes:
    """What changed from frame ``seq`` - 1 on: first drop, then set."""
    return orjson.dumps(_head("diff", topic, seq, at, now) | {"set": change.set, "drop": change.drop})


def same(topic: str, seq: int, *, at: datetime, now: datetime) -> bytes:
    """The rows of frame ``seq`` are still right."""
    return orjson.dumps(_head("same", topic, seq, at, now))


def refused(topic: str, why: str) -> bytes:
    """Nothing will come of this topic, or of this message; the reason says what to do."""
    return orjson.dumps({"type": "refused", "topic": topic, "why": why})


def _head(kind: str, topic: str, seq: int, at: datetime, now: datetime) -> dict[str, object]:
    return {"type": kind, "topic": topic, "seq": seq, "at": milliseconds(at), "now": milliseconds(now)}


def milliseconds(at: datetime) -> int:
    """Since 1970, as everything on the wire tells time."""
    return int(at.timestamp() * 1000)
