"""What tombstones delete, as the apps declare it: for the streams that store, and for the outbox that sends them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Deletion:
    """Rows of ``tables`` go whose column ``by``, called so in the topic's events too, has the key of a tombstone.

    The columns ``standing`` say where a row stands in the log; what stands after the tombstone stays.
    """

    stream: str
    topic: str
    by: str
    tables: tuple[str, ...]
    standing: tuple[str, str]


DELETIONS: dict[str, list[Deletion]] = {}
"""By topic."""
