"""How the live service of this process is: told to who watches, to health and to Prometheus."""

from backoffice.kernel.clock import Clock, SystemClock, milliseconds

from . import telemetry
from .board import Row, Rows

WELL = ("connected", "heard")
# What a process that has it should not be sent visitors; the others are told of on the page.
GRAVE = ("redis", "sessions", "task")


class Conditions:
    """What is noted of each part, in words, and since when. Only the one thread of the event loop writes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: Rows = {}

    def note(self, part: str, state: str, why: str = "", **more: int) -> bool:
        """Whether that is another state than before. The first word of ``part`` is its kind."""
        known: Row = self._rows.get(part, {})
        is_same = known.get("state") == state
        since = known["since"] if is_same else milliseconds(self._clock.now())
        self._rows = self._rows | {part: {"state": state, "why": why, "since": since, **more}}
        self._tell_prometheus(part)
        return not is_same

    def clear(self, part: str) -> bool:
        """Whether there was anything to be cleared."""
        was_there = part in self._rows
        self._rows = {known: row for known, row in self._rows.items() if known != part}
        if was_there:
            self._tell_prometheus(part)
        return was_there

    def rows(self) -> Rows:
        return self._rows

    def state(self, part: str) -> str:
        return str(self._rows.get(part, {}).get("state", ""))

    def ills(self) -> dict[str, str]:
        """What is not well, and why."""
        return {
            part: f"{row['state']}: {row['why']}" if row["why"] else str(row["state"])
            for part, row in self._rows.items()
            if row["state"] not in WELL
        }

    def grave(self) -> dict[str, str]:
        return {part: said for part, said in self.ills().items() if _kind(part) in GRAVE}

    def _tell_prometheus(self, part: str) -> None:
        kind = _kind(part)
        telemetry.ILL.labels(kind).set(sum(_kind(ill) == kind for ill in self.ills()))


def _kind(part: str) -> str:
    return part.partition(" ")[0]


# Those of this process, as its one hub notes them.
HERE = Conditions(SystemClock())
