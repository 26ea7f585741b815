"""B1-FLAT: one record type into one flat table with its key, beside a COPY of the very same rows.

What other tools are measured on: no windows, no activity, no second table. All else is as in B1 and as in operation: a
real broker, one worker of one lane, Avro with its rules, offsets in the rows' transaction, and a digest beside each
row, by which a repeat is told from a clash. The stream is known to the processes of this benchmark alone.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from psycopg import sql

from backoffice.kernel.clock import microseconds
from backoffice.kernel.ids import uuid7
from backoffice.simulator.events.envelope import Event, Head
from backoffice.simulator.events.wallet import stake_taken
from backoffice.streams.store.projection import Stream
from bench.bets import BRANDS, LICENCES
from bench.copying import dump, folder_of
from bench.crew import Crew, crew
from bench.figures import Figures
from bench.ingest import BATCH, wait_assigned, wait_stored
from bench.stand import Feed, Message, Stand

STREAM, TOPIC, RECORD, TABLE = "flat", "wallet-transactions", "StakeTaken", "bench_flat"
LANE = (STREAM, TOPIC)
COLUMNS = (
    "event_id", "occurred_at", "brand", "jurisdiction", "player_id", "currency", "amount", "vertical", "bet_id",
    "round_id", "bonus_amount",
)  # fmt: skip
MAKE_TABLE = f"""
    CREATE TABLE {TABLE} (
        event_id uuid PRIMARY KEY, occurred_at timestamptz NOT NULL, brand text NOT NULL, jurisdiction text NOT NULL,
        player_id uuid NOT NULL, currency text NOT NULL, amount bigint NOT NULL, vertical text NOT NULL, bet_id uuid,
        round_id uuid, bonus_amount bigint NOT NULL,
        source_partition smallint NOT NULL, source_offset bigint NOT NULL, digest bigint NOT NULL
    )
"""
PLAYERS = 10_000


@dataclass(frozen=True)
class Size:
    events: int
    repetitions: int


FULL = Size(events=1_000_000, repetitions=5)
QUICK = Size(events=4_000, repetitions=1)


def declare() -> None:
    """Enter the stream, in the process that runs it."""

    @Stream(STREAM).project(RECORD, into=TABLE, key="event_id", fact=True)
    def stakes(events: pa.Table) -> pa.Table:
        return events.select(COLUMNS)


def stakes_taken(seed: int, now: datetime, count: int) -> Iterator[Event]:
    """Different stakes on bets of some thousand players; the same seed gives the same ones."""
    rng = random.Random(seed)
    players = [(str(uuid7(rng, now)), rng.choice(BRANDS), *rng.choice(LICENCES)) for _ in range(PLAYERS)]
    for _ in range(count):
        player, brand, jurisdiction, currency = rng.choice(players)
        head = Head(
            event_id=str(uuid7(rng, now)), occurred_at=microseconds(now), brand=brand, jurisdiction=jurisdiction
        )
        yield stake_taken(
            head, player_id=player, currency=currency, amount=rng.randint(1, 400) * 25, vertical="sports",
            bet_id=str(uuid7(rng, now)), round_id=None, bonus_amount=0,
        )  # fmt: skip


@dataclass
class Flat:
    stand: Stand
    messages: list[Message]
    feed: Feed

    def drained(self) -> float:
        """Seconds in which the worker that waits stores all messages."""
        self.stand.empty([TABLE])
        self.feed.load(self.messages)
        began = time.monotonic()
        self.feed.reveal()
        wait_stored(self.stand, self.feed.ends, LANE)
        return time.monotonic() - began

    def copied(self, copying: Crew) -> float:
        self.stand.empty([TABLE])
        return copying.timed()

    def check(self) -> None:
        """Every event is there once, none among the dead letters or repeats."""
        counted = self.stand.rows(
            "SELECT (SELECT count(*) FROM bench_flat), (SELECT count(*) FROM streams_deadletter),"
            " (SELECT count(*) FROM streams_repeat)"
        )
        if counted != [(len(self.messages), 0, 0)]:
            raise RuntimeError(f"{len(self.messages)} events were sent; stored, dead and repeated: {counted}.")

    def keep_rows(self, folder: Path) -> None:
        """Write down what the table holds, whole and in batches."""
        query = sql.SQL("SELECT * FROM {} ORDER BY ctid").format(sql.Identifier(TABLE))
        with self.stand.connect() as connection:
            for name, slices in (("whole", 1), ("batches", max(1, len(self.messages) // BATCH))):
                dump(connection, query, folder_of(folder / name, 0, 1), TABLE, slices)


def run(figures: Figures, stand: Stand, *, quick: bool) -> None:
    size = QUICK if quick else FULL
    with stand.connect() as connection:
        connection.execute(MAKE_TABLE)
    messages = stand.framed(stakes_taken(1, datetime.now(UTC), size.events))
    bench = Flat(stand, messages, Feed(f"{stand.prefix}{TOPIC}"))
    _report(figures, size, _measured(bench, size))


def _measured(bench: Flat, size: Size) -> dict[str, list[float]]:
    """Seconds of the stream and of COPY in both ways, in turns."""
    environ = bench.stand.environ
    timings: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, crew("bench.worker", 1, LANE, environ) as streams:
        wait_assigned(bench.stand, streams, LANE)
        bench.drained()
        bench.check()
        bench.keep_rows(Path(folder))
        with (
            crew("bench.copying", 1, [f"{folder}/whole"], environ) as whole,
            crew("bench.copying", 1, [f"{folder}/batches"], environ) as batches,
        ):
            for _ in range(size.repetitions):
                for name, turn in (
                    ("stream", bench.drained),
                    ("COPY, all at once", lambda: bench.copied(whole)),
                    ("COPY, a transaction a batch", lambda: bench.copied(batches)),
                ):
                    timings.setdefault(name, []).append(turn())
    return timings


def _report(figures: Figures, size: Size, timings: dict[str, list[float]]) -> None:
    rates = {name: figures.rate("B1-FLAT", name, size.events, seconds) for name, seconds in timings.items()}
    own = rates["stream"]
    copy = max(rate for name, rate in rates.items() if name.startswith("COPY"))
    figures.add("B1-FLAT", "stream ÷ COPY", own / copy, "×", at_least=0.75, stream=own, copy=copy)
