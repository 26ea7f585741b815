"""Many messages of one writer in, the columns of those that can be stored out, and for each other one why it cannot.

There is no server in here, and no class of error is let out. What fails for many is halved until the message that
fails is alone. Only the exact reading says what is wrong with a message. Any other error may be a message's fault, or
one of ours that passes by itself (threads that meet, a memory that is short): it has to come once more a while later.

Whole columns are decoded at once and leniently; a message that is not exactly as we would write it (sizes.py) is read
once more byte by byte (strict.py), which settles whether it is wrong or merely written in another way.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backoffice.contracts import strict
from backoffice.contracts.codec import encode
from backoffice.contracts.columns import FRAME, align, decode_bodies, empty
from backoffice.contracts.definitions import schema, schema_text
from backoffice.contracts.rules import Latest, checked
from backoffice.contracts.sizes import encoded_sizes
from backoffice.contracts.writers import Writer
from backoffice.kernel.errors import Poison, origin

log = logging.getLogger(__name__)

# How long (seconds) whatever nobody foresaw has to pass by itself.
AGAIN_SECONDS = 1.0

# Places in the list of messages.
Rows = npt.NDArray[np.int64]
Faults = dict[int, str]


@dataclass(frozen=True)
class Piece:
    """Events of one record type as today's contract names their columns, and the place of the message of each."""

    events: pa.RecordBatch
    rows: Rows


@dataclass(frozen=True)
class Held:
    """``events`` have ids as 16 bytes each; ``rows`` are the places of their messages, rising."""

    events: pa.Table
    rows: Rows
    faults: Faults


def read(values: Sequence[bytes | None], lengths: Rows, rows: Rows, writer: Writer) -> tuple[list[Piece], Faults]:
    """The events of those messages that are at ``rows`` and of one writer; ``lengths`` are those of all, in bytes.

    Raises:
        Poison: none of the writer's messages can be read.
    """
    if writer.refusal:
        raise Poison(writer.refusal)
    faults: Faults = {}
    if not writer.is_plain:
        return _settled(values, rows, writer, faults), faults
    pieces, doubted = zip(*_decoded(values, lengths, rows, writer), strict=True)
    return [*pieces, *_settled(values, np.concatenate(doubted), writer, faults)], faults


def held(pieces: list[Piece], record: str, latest: Latest) -> Held:
    """The events that keep the rules of their contract, in order of arrival.

    None may be of after ``latest``: one moment for all, or by the place of its message for each its own.
    """
    whole = _together(pieces, record)
    faults: Faults = {}
    kept: list[tuple[pa.Table, Rows]] = []

    def take(some: Rows) -> None:
        is_all = len(some) == len(whole.rows)
        part, places = (whole.events, whole.rows) if is_all else (whole.events.take(pa.array(some)), whole.rows[some])
        table, broken = checked(part, schema(record), latest if isinstance(latest, datetime) else latest[places])
        if broken:
            faults.update({int(places[row]): told for row, told in broken.items()})
            good = np.ones(len(some), bool)
            good[list(broken)] = False
            table, places = table.filter(pa.array(good)), places[good]
        kept.append((table, places))

    alone: Faults = {}
    _take(take, np.arange(len(whole.rows)), record, alone)
    faults.update({int(whole.rows[row]): told for row, told in alone.items()})
    if not kept:
        take(np.arange(0))
    tables, places = zip(*sorted(kept, key=_first_place), strict=True)
    return Held(pa.concat_tables(tables).combine_chunks(), np.concatenate(places), faults)


def _first_place(part: tuple[pa.Table, Rows]) -> int:
    """What was taken later, alone, goes where it belongs."""
    return int(part[1][0]) if len(part[1]) else 0


def _decoded(values: Sequence[bytes | None], lengths: Rows, rows: Rows, writer: Writer) -> Iterator[tuple[Piece, Rows]]:
    """Decoded pieces, and the messages that have to be looked at one by one."""
    chosen = cast("list[bytes]", values if len(rows) == len(values) else [values[row] for row in rows.tolist()])
    try:
        batch = decode_bodies(chosen, writer.framed_text)
        sure = encoded_sizes(batch, writer.framed) == lengths[rows]
        aligned = align(batch, schema(writer.record))
    except Exception:  # noqa: BLE001 - one of the messages is at fault; alone it is read exactly, and told
        if len(rows) == 1:
            yield Piece(empty(schema(writer.record)), rows[:0]), rows
            return
        for half in np.array_split(rows, 2):
            yield from _decoded(values, lengths, half, writer)
        return
    if sure.all():
        yield Piece(aligned, rows), rows[:0]
    else:
        yield Piece(aligned.filter(pa.array(sure)), rows[sure]), rows[~sure]


def _settled(values: Sequence[bytes | None], rows: Rows, writer: Writer, faults: Faults) -> list[Piece]:
    """Messages read exactly, and written as we would write them; those that are right after all."""
    record, written, odd = writer.record, {}, []

    def rewrite(some: Rows) -> None:
        written.update({row: _rewritten(values[row] or b"", writer) for row in some.tolist()})

    for row in rows:
        try:
            rewrite(row[None])
        except Poison as poison:
            faults[int(row)] = str(poison)
        except Exception:  # noqa: BLE001 - see the head of the module
            odd.append(row)
    _take(rewrite, np.array(odd, np.int64), record, faults)
    found: list[Piece] = []

    def take(some: Rows) -> None:
        batch = decode_bodies([written[row] for row in some.tolist()], schema_text(record))
        found.append(Piece(align(batch, schema(record)), some))

    _take(take, np.array(sorted(written), np.int64), record, faults)
    return found


def _rewritten(value: bytes, writer: Writer) -> bytes:
    """The body of the event as we would write it: without fields that we do not know, with our defaults."""
    event = strict.read(value[FRAME:], writer.numeric)
    return encode(writer.record, _known(event, schema(writer.record)))


def _known(event: strict.Event, contract: dict[str, Any]) -> strict.Event:
    """The event without the fields that the contract does not have, in its lists as well."""
    found = {}
    for field in contract["fields"]:
        if field["name"] in event:
            value = event[field["name"]]
            found[field["name"]] = (
                [_known(part, field["type"]["items"]) for part in value] if isinstance(value, list) else value
            )
    return found


def _take(take: Callable[[Rows], None], rows: Rows, record: str, faults: Faults) -> None:
    """Do it for all; those that it fails for when they are alone, and once more a while later, have their fault."""
    failing = dict(_halving(take, rows))
    if not failing:
        return
    why = origin(next(iter(failing.values())))
    log.warning("what nobody foresaw keeps %s of %s %s from being read: %s", len(failing), len(rows), record, why)
    time.sleep(AGAIN_SECONDS)
    for row, error in _halving(take, np.array(sorted(failing), np.int64)):
        faults[row] = _in_words(error, record)


def _halving(take: Callable[[Rows], None], rows: Rows) -> Iterator[tuple[int, Exception]]:
    """Do it for all; where that fails for a half each, until those are alone that it fails for."""
    if not len(rows):
        return
    try:
        take(rows)
    except Exception as error:  # noqa: BLE001 - see the head of the module
        if len(rows) == 1:
            yield int(rows[0]), error
            return
        for half in np.array_split(rows, 2):
            yield from _halving(take, half)


def _together(pieces: list[Piece], record: str) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    rows = np.concatenate([np.zeros(0, np.int64), *(piece.rows for piece in pieces)])
    table = pa.Table.from_batches([empty(schema(record)), *(piece.events for piece in pieces)])
    if (np.diff(rows) < 0).any():
        order = np.argsort(rows, kind="stable")
        rows, table = rows[order], table.take(pa.array(order))
    return Piece(table.combine_chunks().to_batches()[0] if len(rows) else empty(schema(record)), rows)


def _in_words(error: Exception, record: str) -> str:
    if isinstance(error, Poison):
        return str(error)
    told = str(error).strip().splitlines() or [""]
    return f"It cannot be read as a {record} ({type(error).__name__}: {told[0][:200]})."
