"""B2: a batch as it comes from Kafka into columns, beside fastavro, one message at a time.

Several schema ids in one batch, and in its middle the producers go over to a newer `BetPlaced`. Counted is processor
time, so that both are per core. fastavro only reads; `decode` also looks for ids, aligns old and new columns, holds
every value to the rules of its schema and notes where each event came from.
"""

import copy
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from statistics import median
from typing import Any

import fastavro

from backoffice.contracts.codec import encode, frame
from backoffice.contracts.columns import decode_bodies
from backoffice.contracts.definitions import canonical, schema
from backoffice.contracts.writers import Writer
from backoffice.simulator.events.envelope import Event
from backoffice.streams.consume.batch import Batch
from backoffice.streams.consume.decoding import Decoded, decode
from bench.bets import Betting
from bench.figures import Figures
from bench.stand import BETS, PARTITIONS, RECORDS

BATCH = 20_000
NEWER_ID = 100


class Schemas:
    """The ids of all records of the topic, and one more: `BetPlaced` with a field that we do not know yet."""

    def __init__(self) -> None:
        self.newer = copy.deepcopy(schema("BetPlaced"))
        self.newer["fields"].append({"name": "terminal", "type": ["null", "string"], "default": None})
        self._newer = fastavro.parse_schema(copy.deepcopy(self.newer))
        self.ids = {record: number for number, record in enumerate(sorted(RECORDS), start=1)}
        self._writers = {number: Writer(record, schema(record)) for record, number in self.ids.items()}
        self._writers[NEWER_ID] = Writer("BetPlaced", self.newer)

    def writer(self, schema_id: int) -> Writer:
        return self._writers[schema_id]

    def value(self, event: Event, *, newer: bool) -> bytes:
        if not newer or event.record != "BetPlaced":
            return frame(self.ids[event.record], encode(event.record, event.body))
        body = BytesIO()
        fastavro.schemaless_writer(body, self._newer, event.body | {"terminal": "T-17"})
        return frame(NEWER_ID, body.getvalue())


def batches(schemas: Schemas, count: int, now: datetime, size: int = BATCH) -> list[Batch]:
    found = []
    events = list(Betting(2, now).events(count))
    for start in range(0, count, size):
        part = events[start : start + size]
        found.append(batch_of([schemas.value(e, newer=n * 2 >= len(part)) for n, e in enumerate(part)]))
    return found


def batch_of(values: list[bytes]) -> Batch:
    """The values in turns over the partitions."""
    batch = Batch(BETS)
    for number, value in enumerate(values):
        partition, offset = number % PARTITIONS, number // PARTITIONS
        batch.add(partition=partition, offset=offset, key=b"k", value=value, start=0)
    return batch


def run(figures: Figures, *, quick: bool) -> None:
    count, repetitions = (4_000, 1) if quick else (5 * BATCH, 7)
    now, schemas = datetime.now(UTC), Schemas()
    work = batches(schemas, count, now, min(BATCH, count))
    parsed = {number: fastavro.parse_schema(copy.deepcopy(schemas.writer(number).schema)) for number in _ids(schemas)}
    bodies = _bodies(schemas, work)
    turns: dict[str, Callable[[], object]] = {
        "decode, with rules and alignment": lambda: [_decoded(batch, schemas, now) for batch in work],
        "decode only, no rules": lambda: [decode_bodies(part, text) for text, part in bodies],
        "fastavro": lambda: [_read(value, parsed) for batch in work for value in batch.values],
    }
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for turn in turns.values():
        turn()  # The first of all pays for what Arrow loads and fastavro parses.
    for _ in range(repetitions):
        for name, turn in turns.items():
            began = time.process_time()
            turn()
            seconds[name].append(time.process_time() - began)
    for name, times in seconds.items():
        figures.rate("B2", name, count, times, "ev/s·core")
    ratios = [theirs / ours for ours, theirs in zip(seconds[next(iter(turns))], seconds["fastavro"], strict=True)]
    figures.add("B2", "decode with rules ÷ fastavro", median(ratios), "×", at_least=10, repetitions=ratios)


def _decoded(batch: Batch, schemas: Schemas, now: datetime) -> Decoded:
    decoded = decode(batch, records=RECORDS, writers=schemas, now=now)
    if decoded.dead or sum(table.num_rows for table in decoded.tables.values()) != len(batch):
        raise RuntimeError("Not every event was decoded.")
    return decoded


def _read(value: bytes | None, parsed: dict[int, Any]) -> object:
    body = value or b""
    return fastavro.schemaless_reader(BytesIO(body[5:]), parsed[int.from_bytes(body[1:5], "big")], None)


def _ids(schemas: Schemas) -> list[int]:
    return [*schemas.ids.values(), NEWER_ID]


def _bodies(schemas: Schemas, work: list[Batch]) -> list[tuple[str, list[bytes]]]:
    """The bodies of each batch by schema, to be decoded and nothing else."""
    found = []
    for batch in work:
        groups: dict[int, list[bytes]] = {}
        for value in batch.values:
            groups.setdefault(int.from_bytes((value or b"")[1:5], "big"), []).append((value or b"")[5:])
        found += [(canonical(schemas.writer(number).schema), part) for number, part in groups.items()]
    return found
