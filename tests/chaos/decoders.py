"""Both readers of the platform on the same messages, spoilt in every way: the columns of the streams, and reconcile's.

They share no decoder and no check, and have to agree on every message: stored with these values, or not at all.
"""

import copy
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pyarrow as pa

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.contracts.codec import frame
from backoffice.contracts.definitions import released, schema
from backoffice.contracts.writers import Writer
from backoffice.kernel.errors import Poison
from backoffice.reconcile.messages.reading import Readers
from backoffice.streams.consume.batch import Batch
from backoffice.streams.consume.decoding import Decoded, decode
from tests.chaos.twisting import Twister, event_like, spoilt
from tests.streams.arriving import key_of

BATCH = 500
SHOWN = 20


@dataclass
class Report:
    """How many messages were read, how many of them both would store, and the first differences."""

    messages: int = 0
    stored: int = 0
    differing: int = 0
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = f"{self.messages:,} messages, {self.stored:,} of them good to both readers, {self.differing} differences"
        return "\n".join([told, *self.differences])


class AllWriters:
    """Every writer that a message may come from, by schema id: today's, released ones, newer ones and strange ones."""

    def __init__(self) -> None:
        self.of: dict[str, list[int]] = {}
        self._writers: dict[int, Writer] = {}
        for topic in TOPICS.values():
            for record in topic.records:
                self.of[record] = [self._add(record, version) for version in _versions(record)]

    def _add(self, record: str, definition: dict[str, Any]) -> int:
        self._writers[len(self._writers) + 1] = Writer(record, definition)
        return len(self._writers)

    def writer(self, schema_id: int) -> Writer:
        if schema_id not in self._writers:
            raise Poison(f"unknown schema id {schema_id}")
        return self._writers[schema_id]


# What the streams add to an event: where it came from, and where and when it was told.
_ORIGIN = frozenset({"source_generation", "source_partition", "source_offset"})
_STANDING = frozenset({"logged_at", "logged_offset", "appended_at", "taken_at"})


def run(seed: int, count: int) -> Report:
    """As many messages of every record, from a seed; the same seed gives the same messages."""
    rng, writers, report = random.Random(f"decoders {seed}"), AllWriters(), Report()
    readers = Readers(writers)
    while report.messages < count:
        for topic in TOPICS.values():
            values = [_message(rng, writers, rng.choice(topic.records)) for _ in range(BATCH)]
            compare(topic.name, values, writers, readers, report)
    return report


def compare(topic: str, values: list[bytes], writers: AllWriters, readers: Readers, report: Report) -> None:
    """Read the messages in both ways and note where the two do not agree."""
    columns = _stored(topic, values, writers)
    report.messages += len(values)
    for row, value in enumerate(values):
        events = _verdict(topic, value, readers)
        report.stored += not isinstance(events, str)
        if isinstance(columns[row], str) and isinstance(events, str):
            continue
        if columns[row] != events:
            report.differing += 1
            if len(report.differences) < SHOWN:
                report.differences.append(f"{value.hex()}\n  columns: {columns[row]}\n  reconcile: {events}")


def _stored(topic: str, values: list[bytes], writers: AllWriters) -> list[dict[str, Any] | str]:
    """For each message the event that the streams would store, or why they would not."""
    batch = Batch(topic)
    for offset, value in enumerate(values):
        batch.add(partition=0, offset=offset, key=key_of(topic, value, writers), value=value, start=0)
    # How far a producer's clock was ahead is no question of one message alone: reconcile asks it where it accounts.
    decoded = decode(batch, records=TOPICS[topic].records, writers=writers, now=None)
    found: dict[int, dict[str, Any] | str] = {row: f"dead: {dead.reason}" for row, dead in decoded.dead.items()}
    found |= dict(_rows(decoded))
    return [found.get(row, "neither stored nor dead") for row in range(len(values))]


def _rows(decoded: Decoded) -> Iterator[tuple[int, dict[str, Any]]]:
    for record, table in decoded.tables.items():
        for number, column in enumerate(table.columns):
            if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
                plain = column.cast(pa.int64() if pa.types.is_timestamp(column.type) else pa.int32())
                table = table.set_column(number, table.field(number).name, plain)  # noqa: PLW2901 - one by one
        ids = [item["name"] for item in schema(record)["fields"] if item.get("format") == "uuid"]
        for event in table.drop_columns(
            [name for name in table.column_names if name in _ORIGIN | _STANDING]
        ).to_pylist():
            event |= {name: event[name] and str(UUID(bytes=event[name])) for name in ids}
            yield event.pop("row"), event | {"": record}


def _verdict(topic: str, value: bytes, readers: Readers) -> dict[str, Any] | str:
    try:
        record, event = readers.event(value)
    except Poison as poison:
        return f"poison: {poison}"
    if topic_of(record) != topic:
        return f"poison: {record} is no record of {topic}"
    ids = {item["name"] for item in schema(record)["fields"] if item.get("format") == "uuid"}
    known = _known(event, schema(record))
    return known | {name: known[name] and known[name].lower() for name in ids} | {"": record}


def _known(event: Mapping[str, Any], contract: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for item in contract["fields"]:
        value = event[item["name"]]
        found[item["name"]] = (
            [_known(part, item["type"]["items"]) for part in value] if isinstance(value, list) else value
        )
    return found


def _message(rng: random.Random, writers: AllWriters, record: str) -> bytes:
    """A message of the record: right, oddly written, spoilt, or under the id of another writer."""
    written, told = rng.choice(writers.of[record]), 0
    if rng.random() < 0.05:
        told = rng.choice(writers.of[record if rng.random() < 0.7 else rng.choice(list(writers.of))])
    definition = writers.writer(written).numeric
    body = Twister(rng, rng.choice((0.0, 0.0, 0.01, 0.05))).body(definition, event_like(definition, record, rng))
    return frame(told or written, spoilt(body, rng) if rng.random() < 0.4 else body)


def _versions(record: str) -> Iterator[dict[str, Any]]:
    current = schema(record)
    yield from [current, *released(record)]
    yield _with(current, {"name": "terminal", "type": ["null", "string"]}, {"name": "lane", "type": "int"})
    yield _with(current, {"name": "tags", "type": {"type": "map", "values": ["long", "null", "bytes"]}})
    symbols = {"type": "enum", "name": "Symbols", "symbols": ["single", "multiple", "opened", "web"]}
    text = next(item["name"] for item in reversed(current["fields"]) if item["type"] == "string")
    yield _with(current, {"name": text, "type": symbols})
    yield current | {"fields": list(reversed(current["fields"]))}
    yield current | {"namespace": "com.other.vendor"}


def _with(definition: dict[str, Any], *fields: dict[str, Any]) -> dict[str, Any]:
    """The schema with these fields instead of those of their names, or besides them."""
    kept = [item for item in copy.deepcopy(definition["fields"]) if item["name"] not in {f["name"] for f in fields}]
    return definition | {"fields": [*kept, *fields]}
