"""Findings that stand open and of which a look, as much as it sees by now, says nothing: whether they are there still
nobody knows.

A check may see less than when it found them: a log has lost its beginning or its end, was made anew or compacted, or
keeps its messages for a while only. Each finding is asked for by its key, so that what was mended ends all the same.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.contracts.catalogue import TOPICS

from ..declared import Trace
from ..differences import Standing, Unjudged
from ..messages.log import Chunk
from .states import StateCheck
from .tallies import Tally

LOST = "the messages by which it would be judged are not in the log any more"
FORMER = "it is of a log that is gone"
# Dead letters are compared with more than their messages, fault by fault (letters.py).
_BY_THEMSELVES = "dead_letters"


def key_of(where: str, columns: Sequence[str]) -> list[str] | None:
    """The key that a finding names, as ``comparing.shown`` writes it; None where it names no such key."""
    key, rest = [], where
    for number, column in enumerate(columns):
        begin = f"{', ' if number else ''}{column}="
        if not rest.startswith(begin):
            return None
        rest = rest[len(begin) :]
        if rest.startswith('"'):
            try:
                value, end = json.JSONDecoder().raw_decode(rest)
            except ValueError:
                return None
        else:
            value, end = rest.partition(",")[0], len(rest.partition(",")[0])
        key.append(value)
        rest = rest[end:]
    return key if not rest else None


def unseen_states(
    cursor: CursorWrapper, check: StateCheck, standing: Iterable[Standing], *, is_whole: bool, is_cut: bool, low: int
) -> Iterator[Unjudged]:
    """Rows of state, by books that are ``is_whole`` or not, of a log that ``is_cut`` off or not (see ``untold``).

    What a row says beside its version is compared where its message is read: not from below ``low``.
    """
    want = check.want
    for found in standing:
        key = key_of(found["where"], want.key) if _is_of(found, "state", want.target, check.topic) else None
        if key is None or not _has_any(found, (*want.by, *want.values)):
            continue
        version, is_there, is_newer = check.known(cursor, key)
        if version is None:
            is_seen = is_whole or not (is_there or found["kafka"])
        else:
            is_kept = is_there or check.state.kept is None
            is_read = not want.values or low == 0 or (bool(want.by) and version[-1] >= low)
            is_seen = is_kept and is_read and not (is_cut and is_newer)
        if not is_seen:
            yield Unjudged.of_standing(found, LOST)


def unseen_sums(
    cursor: CursorWrapper, tally: Tally, standing: Iterable[Standing], inexact: Sequence[str]
) -> Iterator[Unjudged]:
    """Sums of places (topic and partition) that must only not fall short, where they are not exactly what is told."""
    want = tally.want
    for found in standing:
        key = key_of(found["where"], want.key) if found["table"] == want.target else None
        if key is None or f"{found['topic']}/{found['partition']}" not in inexact:
            continue
        told, stored = tally.sides(cursor, key)
        if told != stored or (told is None and found["kafka"]):
            yield Unjudged.of_standing(found, LOST)


def unseen_messages(chunk: Chunk, standing: Iterable[Standing]) -> Iterator[Unjudged]:
    """What stands at offsets of which compaction has taken the messages."""
    place = chunk.place
    if not TOPICS[place.topic].compacted:
        return
    for found in standing:
        offsets, of = found["offsets"], (found["stream"], found["topic"], found["partition"])
        if not offsets or of != place.key or found["check"] == _BY_THEMSELVES:
            continue
        if chunk.start <= offsets[0] < chunk.end and offsets[0] not in chunk.messages:
            yield Unjudged.of_standing(found, LOST)


def unseen_places(
    cursor: CursorWrapper, trace: Trace, standing: Iterable[Standing], walk: str, generation: int
) -> Iterator[Unjudged]:
    """Rows that name places in former logs of the name."""
    begin = f"{trace.table} "
    for found in standing:
        key = key_of(found["where"].removeprefix(begin), (trace.key,)) if found.get("walk") == walk else None
        if key is None:
            continue
        query = sql.SQL("SELECT 1 FROM {} WHERE {}::text = %s AND source_generation < %s")
        cursor.execute(query.format(sql.Identifier(trace.table), sql.Identifier(trace.key)), [*key, generation])
        if cursor.fetchone():
            yield Unjudged.of_standing(found, FORMER)


def _is_of(found: Standing, check: str, table: str, topic: str) -> bool:
    return (found["check"], found["table"], found["topic"]) == (check, table, topic)


def _has_any(found: Standing, columns: Sequence[str]) -> bool:
    """Whether either side of the finding tells of these columns, or neither of any."""
    sides: list[Any] = [side for side in (found["kafka"], found["postgres"]) if side]
    return not (sides and columns) or any(column in side for side in sides for column in columns)
