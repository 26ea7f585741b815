"""What keeps a lane from going on: told once for each reason, and waited for longer and longer."""

import logging

from ..patience import pause

log = logging.getLogger(__name__)


class Once:
    """Warns of what keeps a lane waiting, unless that is what was said last."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._said = ""

    def warn(self, told: str) -> str:
        """Returns what was told."""
        if told != self._said:
            log.warning("%s %s", self._group, told)
        self._said = told
        return told


class Trouble:
    """Of a lane that cannot store, since it last stored anything; ``reason`` says in which state it failed and why."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._once = Once(group)
        self._failures = 0
        self.reason = ""

    def note(self, state: str, error: BaseException) -> None:
        """What is behind the first line of an error differs each time (who waits for whom)."""
        self._failures += 1
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        self.reason = self._once.warn(f"{state}: {why}")

    def end(self) -> None:
        """Something was stored."""
        if self._failures:
            log.info("%s stores again, after %s failures", self._group, self._failures)
            self._once, self._failures, self.reason = Once(self._group), 0, ""

    @property
    def pause(self) -> float:
        """Seconds until it may be tried again."""
        return pause(self._failures)
