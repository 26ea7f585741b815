"""Sources that ought to be heard of all the time, and which of them are silent.

An app knows what it listens to and for how long that may say nothing; it registers a reader in ``AppConfig.ready()``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from backoffice.streams.clocks import lies_ahead


@dataclass(frozen=True)
class Silent:
    """One thing of a source (a market of a feed) that has said nothing for longer than ``limit``."""

    name: str
    heard_at: datetime
    limit: timedelta


@dataclass(frozen=True)
class Source:
    """Where word comes from (a provider), when it last did, and for how long it may be silent.

    ``watched`` of its things have to be heard of now, ``silent`` of these were not; ``longest`` are the first few.
    """

    name: str
    heard_at: datetime
    limit: timedelta
    watched: int
    silent: int
    longest: tuple[Silent, ...]

    def is_silent(self, now: datetime) -> bool:
        """Whether nothing at all comes of it, although something should."""
        return self.watched > 0 and (now - self.heard_at > self.limit or lies_ahead(self.heard_at, now))


Read = Callable[[datetime], list[Source]]
_READERS: dict[str, Read] = {}


def register(kind: str, read: Read) -> None:
    """Have the sources of a kind, such as feeds, told of in the status."""
    _READERS[kind] = read


def read_sources(now: datetime) -> list[Source]:
    return [source for kind in sorted(_READERS) for source in _READERS[kind](now)]
