"""A client of the live protocol as an integrator would write it from docs/live.md."""

from typing import Any

import orjson

Rows = dict[str, dict[str, Any]]


class Gap(Exception):  # noqa: N818 - what happened, not an error
    """Frames are missing; only a snapshot helps."""


class Client:
    """One publication: its rows, and the number of the last frame."""

    def __init__(self) -> None:
        self.rows: Rows = {}
        self.seq: int | None = None

    def take(self, data: bytes) -> None:
        """Raises Gap once when frames are missing; from then on all but a snapshot is passed over."""
        frame = orjson.loads(data)
        if frame["type"] == "snapshot":
            self.rows, self.seq = frame["rows"], frame["seq"]
        elif self.seq is not None and frame["seq"] > self.seq:
            if frame["type"] == "same" or frame["seq"] > self.seq + 1:
                self.seq = None
                raise Gap
            self.seq = frame["seq"]
            for key in frame["drop"]:
                self.rows.pop(key, None)
            for key, fields in frame["set"].items():
                self.rows[key] = self.rows.get(key, {}) | fields
