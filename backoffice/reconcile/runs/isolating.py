"""Messages over which a comparison comes to nothing: they are found out, and told of instead of compared.

Most fail alone. What fails only together (two events that a fault of ours takes for one) is shrunk to some that fail,
and would not without any one of them.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from confluent_kafka import KafkaException
from django.db import connection, transaction

from backoffice.kernel.errors import Retryable
from backoffice.streams.database import passes

from ..messages.log import Chunk

T = TypeVar("T")

log = logging.getLogger(__name__)

# Where more than these cannot be compared, that is a fault of ours and not of the messages.
MOST = 100

# Compares what a chunk has. Raises where that comes to nothing.
Attempt = Callable[[Chunk], object]
# The same for what several chunks have together.
AttemptAll = Callable[[list[Chunk]], object]
# A chunk, by its number, and an offset in it.
_Place = tuple[int, int]


def is_away(error: Exception) -> bool:
    """Whether it is the fault of no message and passes: then it is waited for.

    Of a session that is gone everything fails, whatever the error says.
    """
    is_gone = connection.connection is not None and connection.connection.closed
    return is_gone or isinstance(error, (Retryable, KafkaException)) or passes(error)


def culprits(chunk: Chunk, attempt: Attempt) -> dict[int, str]:
    """The offsets of those of its messages that fail even alone, each with the kind of error; at most ``MOST``.

    What the error says is logged and not told: it may repeat what a person's message says.
    """
    found: dict[int, str] = {}
    waiting = [sorted(chunk.messages)]
    while waiting and len(found) < MOST:
        offsets = waiting.pop()
        try:
            with _undone():
                attempt(replace(chunk, messages={offset: chunk.messages[offset] for offset in offsets}))
        except Exception as error:
            if is_away(error):
                raise
            if len(offsets) > 1:
                middle = len(offsets) // 2
                waiting += [offsets[middle:], offsets[:middle]]
            elif offsets:
                place = chunk.place
                log.exception("reconcile: %s[%s] cannot compare offset %s", place.topic, place.partition, offsets[0])
                found[offsets[0]] = type(error).__name__
    return found


def culprits_together(chunks: Sequence[Chunk], attempt: AttemptAll) -> list[dict[int, str]]:
    """For each chunk the offsets of its messages that fail with others, set by set, each with the kind of error and
    with which others; none where it is no messages that fail, or more than ``MOST``.
    """
    found: list[dict[int, str]] = [{} for _ in chunks]
    left = [(n, offset) for n, chunk in enumerate(chunks) for offset in chunk.messages if offset not in chunk.withheld]
    failed = [""]

    def fails(places: Sequence[_Place]) -> bool:
        wanted = set(places)
        parts = [
            replace(chunk, messages={o: said for o, said in chunk.messages.items() if (n, o) in wanted})
            for n, chunk in enumerate(chunks)
        ]
        try:
            with _undone():
                attempt(parts)
        except Exception as error:
            if is_away(error):
                raise
            log.debug("reconcile: %s messages fail together", len(places), exc_info=True)
            failed[0] = type(error).__name__
            return True
        return False

    while sum(map(len, found)) < MOST and fails(left):
        needed = smallest(left, fails, MOST)
        if not needed:
            break
        names = {(n, o): f"{chunks[n].place.topic}[{chunks[n].place.partition}]@{o}" for n, o in sorted(needed)}
        log.error("reconcile: cannot compare together: %s", ", ".join(names.values()))
        for n, offset in needed:
            others = [name for place, name in names.items() if place != (n, offset)]
            found[n][offset] = f"{failed[0]}, together with {_listed(others)}"
        left = [place for place in left if place not in names]
    return found


def smallest(candidates: Sequence[T], fails: Callable[[Sequence[T]], bool], most: int) -> list[T]:
    """Some of the candidates, all of which fail, that fail together, and would not with any of them less.

    Of the shortest beginning that fails the last is needed; what else is, stands before it. None are given where none
    fail as well, or where more than ``most`` are needed.
    """
    needed: list[T] = []
    while not fails(needed):
        if not candidates or len(needed) == most:
            return []
        passing, failing = 0, len(candidates)
        while failing - passing > 1:
            middle = (passing + failing) // 2
            if fails([*candidates[:middle], *needed]):
                failing = middle
            else:
                passing = middle
        needed.append(candidates[failing - 1])
        candidates = candidates[: failing - 1]
    return needed


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@contextmanager
def _undone() -> Iterator[None]:
    """What is done in the database within is taken back, within the transaction that is open."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
