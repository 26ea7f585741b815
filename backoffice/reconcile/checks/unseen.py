"""Findings that stand open and of which a look, as much as it sees by now, says nothing: whether they are there still
nobody knows.

A check may see less than when it found them: a log has lost its beginning or its end, was made anew or compacted, or
keeps its messages for a while only. Each finding is asked for by its key, so that what was mended ends all the same. Of
what was found beyond those that are noted (`rests`) nobody has the keys: a look that sees less says nothing of all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.contracts.catalogue import TOPICS

from ..declared import Trace
from ..differences import Standing, Unjudged
from ..findings import Findings
from ..messages.log import Chunk
from .states import StateCheck
from .tallies import Tally

LOST = "the messages by which it would be judged are not in the log any more"
FORMER = "it is of a log that is gone"
UNNAMED = "an older edition has found it, and did not note the key of its row"
_BY_KEY = ("state", "windows", "balances")
# Dead letters are compared with more than their messages, fault by fault (letters.py).
_BY_THEMSELVES = "dead_letters"


def unnamed(standing: Iterable[Standing]) -> Iterator[Unjudged]:
    """Rows that were noted without their keys: no look can ask for them, those that are still wrong are met anew."""
    for found in standing:
        if found["check"] in _BY_KEY and found["table"] and not found["key"]:
            yield Unjudged.of_standing(found, UNNAMED)


def unseen_states(
    cursor: CursorWrapper, check: StateCheck, findings: Findings, *, is_whole: bool, is_cut: bool
) -> Iterator[Unjudged]:
    """Rows of state, by books that are ``is_whole`` or not, of a log that ``is_cut`` off or not (see ``untold``).

    One is right that is not there where nothing makes it, or that has the version of the books and was read to be what
    the message of that version says. Whatever else a look says nothing of, it has not seen.
    """
    for found in check.about(findings.standing or ()):
        version, is_there, is_newer = check.known(cursor, found["key"])
        if version is None:
            is_seen = not is_there and (is_whole or not found["kafka"])
        else:
            is_read = not check.want.values or findings.have_agreed(found)
            is_seen = is_there and is_read and not (is_cut and is_newer)
        if not is_seen:
            yield Unjudged.of_standing(found, LOST)


def unseen_sums(
    cursor: CursorWrapper, tally: Tally, standing: Iterable[Standing], inexact: Sequence[str]
) -> Iterator[Unjudged]:
    """Sums of places (topic and partition) that must only not fall short, where they are not exactly what is told."""
    want = tally.want
    for found in standing:
        place = f"{found['topic']}/{found['partition']}"
        if found["table"] != want.target or not found["key"] or place not in inexact:
            continue
        told, stored = tally.sides(cursor, found["key"])
        if told != stored or (told is None and found["kafka"]):
            yield Unjudged.of_standing(found, LOST)


def unseen_rests(rests: Iterable[Standing], walk: str, by_all: Iterable[object]) -> Iterator[Unjudged]:
    """What else the walk has found, which sees less by now; ``by_all`` is what it would name if it saw all: nothing is
    hidden where that is nothing.
    """
    mine = [rest for rest in rests if rest["walk"] == walk]
    if mine and any(True for _ in by_all):
        yield from (Unjudged.of_rest(rest, LOST) for rest in mine)


def unseen_messages(chunk: Chunk, standing: Iterable[Standing], rests: Iterable[Standing] = ()) -> Iterator[Unjudged]:
    """What stands at offsets of which compaction has taken the messages."""
    place = chunk.place
    if not TOPICS[place.topic].compacted:
        return
    for rest in rests:
        if rest["offsets"] and (rest["stream"], rest["topic"], rest["partition"]) == place.key:
            yield from _gone(chunk, rest)
    for found in standing:
        offsets, of = found["offsets"], (found["stream"], found["topic"], found["partition"])
        if not offsets or of != place.key or found["check"] == _BY_THEMSELVES:
            continue
        if chunk.start <= offsets[0] < chunk.end and offsets[0] not in chunk.messages:
            yield Unjudged.of_standing(found, LOST)


def _gone(chunk: Chunk, rest: Standing) -> Iterator[Unjudged]:
    """The first of the messages, of those among which it is."""
    first, last = max(chunk.start, rest["offsets"][0]), min(chunk.end - 1, rest["offsets"][1])
    gone = next((offset for offset in range(first, last + 1) if offset not in chunk.messages), None)
    if gone is not None and rest["check"] != _BY_THEMSELVES:
        yield replace(Unjudged.of_rest(rest, LOST), offsets=(gone, gone))


def of_former_logs(cursor: CursorWrapper, trace: Trace, generation: int) -> Iterator[object]:
    """Whether there are rows that name places in former logs of the name."""
    query = sql.SQL("SELECT 1 FROM {} WHERE source_generation < %s LIMIT 1")
    cursor.execute(query.format(sql.Identifier(trace.table)), [generation])
    yield from cursor.fetchall()


def unseen_places(
    cursor: CursorWrapper, trace: Trace, standing: Iterable[Standing], walk: str, generation: int
) -> Iterator[Unjudged]:
    """Rows that name places in former logs of the name."""
    for found in standing:
        if found.get("walk") != walk or not found["key"]:
            continue
        query = sql.SQL("SELECT 1 FROM {} WHERE {}::text = %s AND source_generation < %s")
        cursor.execute(
            query.format(sql.Identifier(trace.table), sql.Identifier(trace.key)), [*found["key"], generation]
        )
        if cursor.fetchone():
            yield Unjudged.of_standing(found, FORMER)
