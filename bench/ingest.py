"""B1: drain `bet-events` from a real broker into all their tables, beside a COPY of the very same rows.

All tables have their indexes and partitions, fsync is on. Counted is the time from the moment the messages come into
sight (the workers are up and wait) until the last offset is stored. The denominator sends the same rows, as bytes that
lie ready, into the same emptied tables over as many connections: rows of the windows and of the activity as they are
in the end, so nothing is merged there. It is run in two ways, all at once and in transactions of a batch each; the
ratio is to the faster of the two.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from django.conf import settings
from psycopg import sql

from bench.bets import Betting
from bench.copying import dump, folder_of
from bench.crew import Crew, crew
from bench.figures import Figures
from bench.stand import BETS, PEERS, TABLES, Feed, Message, Stand

PATIENCE_SECONDS = 300.0
# The stream and topic of B1.
LANE = ("trading", BETS)
BATCH = 20_000


@dataclass(frozen=True)
class Size:
    events: int
    peers: dict[str, int]
    repetitions: int


FULL = Size(events=400_000, peers={"write_row": 100_000, "bulk_create": 30_000}, repetitions=3)
QUICK = Size(events=4_000, peers={"write_row": 2_000, "bulk_create": 1_000}, repetitions=1)

Timings = dict[str, list[float]]


@dataclass
class Ingest:
    stand: Stand
    size: Size
    messages: list[Message]
    dumps: Path
    feed: Feed
    peer_feeds: dict[str, Feed]
    timings: dict[int, Timings] = field(default_factory=dict)

    def drained(self) -> float:
        """Seconds in which the workers that wait store all messages."""
        self.stand.empty()
        self.feed.load(self.messages)
        began = time.monotonic()
        self.feed.reveal()
        wait_stored(self.stand, self.feed.ends)
        return time.monotonic() - began

    def copied(self, copying: Crew) -> float:
        self.stand.empty()
        return copying.timed()

    def by_peer(self, kind: str, peers: Crew, workers: int) -> float:
        count, feed = self.size.peers[kind], self.peer_feeds[kind]
        self.stand.empty()
        counts = feed.load(self.messages[:count])
        shares = [sum(counts[number::workers]) for number in range(workers)]
        seconds = peers.timed(shares, feed.reveal)
        stored = self.stand.rows(
            "SELECT (SELECT count(*) FROM trading_bet) + (SELECT count(*) FROM trading_settlement)"
        )
        if stored != [(count,)]:
            raise RuntimeError(f"A peer stored {stored[0][0]} of {count} events.")
        return seconds

    def check(self) -> None:
        """Every event is there once, none among the dead letters or repeats."""
        counted = self.stand.rows("SELECT sum(count) FROM metrics_window WHERE metric = 'events'")
        facts = self.stand.rows("SELECT (SELECT count(*) FROM trading_bet) + (SELECT count(*) FROM trading_settlement)")
        if counted != facts or facts != [(len(self.messages),)]:
            raise RuntimeError(f"{len(self.messages)} events were sent; counted {counted}, stored {facts}.")

    def keep_rows(self, workers: int) -> None:
        """Write down what the tables hold, in a share for each connection."""
        with self.stand.connect() as connection:
            for number in range(workers):
                for slices, name in ((1, "whole"), (max(1, self.size.events // workers // BATCH), "batches")):
                    folder = folder_of(self.dumps / name, number, workers)
                    for table in TABLES:
                        dump(connection, _share(table, number, workers), folder, table, slices)


@contextmanager
def ingest(stand: Stand, size: Size) -> Iterator[Ingest]:
    messages = stand.framed(Betting(1, datetime.now(UTC)).events(size.events))
    with tempfile.TemporaryDirectory() as folder:
        peers = {kind: Feed(stand.topic(kind)) for kind in PEERS}
        yield Ingest(stand, size, messages, Path(folder), Feed(stand.topic()), peers)


def measure(bench: Ingest, workers: int) -> Timings:
    """All that is compared, in turns, with this many workers and connections."""
    timings: Timings = {}
    with ExitStack() as stack:
        streams = stack.enter_context(crew("bench.worker", workers, LANE, bench.stand.environ))
        wait_assigned(bench.stand, streams)
        bench.drained()
        bench.check()
        bench.keep_rows(workers)
        turns = _turns(bench, workers, stack)
        for _ in range(bench.size.repetitions):
            for name, turn in turns.items():
                timings.setdefault(name, []).append(turn())
    bench.timings[workers] = timings
    return timings


def _turns(bench: Ingest, workers: int, stack: ExitStack) -> dict[str, Callable[[], float]]:
    def others(module: str, *arguments: str) -> Crew:
        return stack.enter_context(crew(module, workers, arguments, bench.stand.environ))

    whole, batches = (others("bench.copying", str(bench.dumps / name)) for name in ("whole", "batches"))
    turns = {
        "stream": bench.drained,
        "COPY, all at once": lambda: bench.copied(whole),
        "COPY, a transaction a batch": lambda: bench.copied(batches),
    }
    for kind in PEERS:
        peers = others("bench.peers", kind, bench.stand.topic(kind))
        turns[kind] = partial(bench.by_peer, kind, peers, workers)
    return turns


def run(figures: Figures, stand: Stand, *, quick: bool) -> float:
    """Returns the best rate of the stream."""
    size = QUICK if quick else FULL
    best = 0.0
    with ingest(stand, size) as bench:
        for workers in (1, 2):
            best = max(best, _report(figures, size, workers, measure(bench, workers)))
    return best


def _report(figures: Figures, size: Size, workers: int, timings: Timings) -> float:
    tail = f"({workers} worker{'s' if workers > 1 else ''})"
    rates = {
        name: figures.rate("B1", f"{name} {tail}", size.peers.get(name, size.events), seconds)
        for name, seconds in timings.items()
    }
    own = rates["stream"]
    copy = max(rate for name, rate in rates.items() if name.startswith("COPY"))
    peers = {name: rates[name] for name in PEERS}
    figures.add("B1", f"stream ÷ COPY {tail}", own / copy, "×", at_least=0.65, stream=own, copy=copy)
    figures.add("B1", f"stream ÷ bulk_create {tail}", own / rates["bulk_create"], "×", at_least=8, **peers)
    figures.add("B1", f"stream ÷ fastest peer run here {tail}", own / max(peers.values()), "×", at_least=2.5, **peers)
    return own


def wait_stored(stand: Stand, ends: list[int], lane: tuple[str, str] = LANE) -> None:
    """Until the stream has stored every partition of the topic to its end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    query = "SELECT partition, next FROM streams_offset WHERE stream = %s AND topic = %s"
    with stand.connect() as connection:
        while time.monotonic() < deadline:
            stored = dict(connection.execute(query, lane).fetchall())
            if all(int(str(stored.get(partition, 0))) >= end for partition, end in enumerate(ends)):
                return
            time.sleep(0.01)
    raise TimeoutError(f"The stream did not store {lane[1]} to its end.")


def wait_assigned(stand: Stand, streams: Crew, lane: tuple[str, str] = LANE) -> None:
    """Until every worker has its share: the group has as many members with partitions as there are workers."""
    admin = AdminClient(dict(settings.KAFKA))
    group = stand.prefix + ".".join(lane)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        # The group's coordinator may still be starting.
        with suppress(KafkaException):
            members = admin.describe_consumer_groups([group])[group].result(10).members
            if sum(bool(member.assignment.topic_partitions) for member in members) == len(streams.pids):
                return
        time.sleep(0.1)
    raise TimeoutError("The workers did not share the partitions among themselves.")


def _share(table: str, number: int, workers: int) -> sql.Composed:
    """A query for the rows of a table that come from one worker's share of the partitions, as they lie in the table."""
    of_bets = sql.SQL("IN (SELECT {} FROM trading_bet WHERE source_partition % {w} = {n})")
    place = {"metrics_window": "partition"}.get(table, "source_partition")
    where = {"trading_leg": ("bet_id", "id"), "metrics_activity": ("player_id", "player_id")}.get(table)
    if where is None:
        mine = sql.SQL("{} % {w} = {n}").format(sql.Identifier(place), w=workers, n=number)
    else:
        column, of_bet = map(sql.Identifier, where)
        mine = sql.SQL("{} {}").format(column, of_bets.format(of_bet, w=workers, n=number))
    return sql.SQL("SELECT * FROM {} WHERE {} ORDER BY tableoid, ctid").format(sql.Identifier(table), mine)
