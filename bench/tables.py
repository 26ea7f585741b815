"""TABLES: what partitions and indexes cost, side by side in one run; and tables of 100 million rows, on request.

`python -m bench tables [--rows 100000000]`. Rows go in by COPY, 20,000 at once, in the order of their time, ids of
version 4 unless said otherwise. Rates are to the processor time of the one backend. Without ``--rows`` no large table
is made.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

import psycopg

from backoffice.kernel.ids import uuid7_floor
from bench.figures import Figures, percentile
from bench.stand import Stand
from trading.journal import newest_bets

Connection = psycopg.Connection[tuple[object, ...]]

BATCH = 20_000
ROWS, QUICK_ROWS = 200_000, 4_000
HASHES = (1, 4, 8, 16, 32)
NAME = "tables_bench"
STEP = 1_000_000
PLAYERS = 50_000
READS = 200
# The indexes for people's reads, beside those that the streams themselves need.
EXTRA = {
    "trading_bet": ("bets_of_player", "bets_by_time"),
    "trading_settlement": ("settlements_by_time",),
    "wallet_round": ("rounds_of_player", "rounds_by_time"),
    "wallet_transfer": ("transfers_by_time",),
    "wallet_transaction": ("history_of_bet",),
    "wallet_payment": ("payments_of_player", "payments_of_instrument", "unfinished_payments"),
    "players_login": ("logins_of_player", "logins_of_device", "logins_from_ip", "logins_by_time"),
}
IDS = {"7": "uuidv7(at - now())", "4": "gen_random_uuid()"}
# How a column is made up, by its name or else by its type; ``n`` counts the rows and ``at`` goes on with them.
MADE_UP = {
    "player_id": "player", "debit_account": "player", "occurred_at": "at", "source_partition": "n % 8",
    "source_offset": "n / 8", "ip": "'10.0.' || n % 250 || '.' || hashint8(n) % 250",
    "device_id": "'device-' || player", "instrument_id": "'card-' || player", "bet_id": "gen_random_uuid()",
    "status": "CASE WHEN n % 50 = 0 THEN 'initiated' ELSE 'completed' END",
    "uuid": "gen_random_uuid()", "text": "'a word'", "timestamp with time zone": "at", "boolean": "n % 3 = 0",
    "bigint": "1 + n % 9000", "integer": "n % 7", "smallint": "n % 7",
}  # fmt: skip


def run(figures: Figures, stand: Stand, *, quick: bool, rows: int = 0) -> None:
    count, repetitions = (QUICK_ROWS, 1) if quick else (ROWS, 5)
    with stand.connect() as connection:
        # Settlements refuse TRUNCATE; the triggers that do so sleep in a replica's session.
        connection.execute("SET session_replication_role = replica")
        _partitions(figures, connection, count, repetitions)
        _indexes(figures, connection, count, repetitions)
        _at_scale(figures, connection, rows or (2 * BATCH if quick else 0))


def _partitions(figures: Figures, connection: Connection, count: int, repetitions: int) -> None:
    """Bets into the layouts, in turns; by month is what the platform had before."""
    with connection.transaction():
        tables = {"months": _by_month(connection)}
        tables |= {f"{number} by hash": _by_hash(connection, number) for number in HASHES}
    for version in IDS:
        data = list(_copies(connection, "trading_bet", count, version))
        turns = {told: partial(_copied, connection, table, data) for told, table in tables.items()}
        rates = _rates(figures, f"bets with ids of version {version}, ", turns, count, repetitions)
        for told in list(tables)[1:]:
            figures.add("TABLES", f"… {told} ÷ months", rates[told] / rates["months"], "×")


def _indexes(figures: Figures, connection: Connection, count: int, repetitions: int) -> None:
    """Each table with all its indexes, and without each of those that only people's reads need."""
    for table, indexes in EXTRA.items():
        data = list(_copies(connection, table, count, "4"))
        turns = {name: partial(_copied, connection, table, data, without=name) for name in ("", *indexes)}
        rates = _rates(figures, f"{table} without ", turns, count, repetitions)
        for index in indexes:
            figures.add("TABLES", f"… with ÷ without {index}", rates[""] / rates[index], "×")


def _rates(
    figures: Figures, told: str, turns: Mapping[str, Callable[[], float]], count: int, repetitions: int
) -> dict[str, float]:
    """Of every turn in each repetition, there and back again, so that none always follows the same other."""
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for repetition in range(repetitions):
        for name in list(turns)[:: 1 if repetition % 2 else -1]:
            seconds[name].append(turns[name]())
    return {
        name: figures.rate("TABLES", f"{told}{name or 'none'}", count, times, "rows/s·core")
        for name, times in seconds.items()
    }


def _copied(connection: Connection, table: str, data: Sequence[bytes], without: str = "") -> float:
    """Processor time of the backend for the rows into the table as if it were empty; all is as it was afterwards."""
    with connection.transaction(force_rollback=True):
        connection.execute(f"TRUNCATE {table}".encode())
        if without:
            connection.execute(f"DROP INDEX {without}".encode())
        return _copy_all(connection, table, data)


def _copy_all(connection: Connection, table: str, data: Sequence[bytes]) -> float:
    """Seconds that the backend worked on it: what others do on the machine is no part of them."""
    began = _ticks(connection)
    for part in data:
        copy_in(connection, table, part)
    # The clock of processes counts in ticks; work that none fell into took less than one.
    return max(1, _ticks(connection) - began) / os.sysconf("SC_CLK_TCK")


def _ticks(connection: Connection) -> int:
    fields = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def copy_in(connection: Connection, table: str, data: bytes) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)".encode()) as copy:
        copy.write(data)


def _at_scale(figures: Figures, connection: Connection, rows: int) -> None:
    """Bets of a year: how fast batches go in while the table grows, and how long the day's reads take in the end."""
    end = datetime.now(UTC)
    step = timedelta(days=365) / max(rows, 1)
    connection.execute("TRUNCATE trading_bet")
    _probe(figures, connection, 0, end - rows * step)
    for done in range(0, rows, STEP):
        count = min(STEP, rows - done)
        connection.execute(_insert(connection, "trading_bet", done, count, end - (rows - done) * step, step))
        if (done + count) * 5 // rows > done * 5 // rows:
            _probe(figures, connection, done + count, end - (rows - done - count) * step)
    if rows:
        connection.execute("VACUUM ANALYZE trading_bet")
        _sizes(figures, connection)
        _read(figures, connection, rows, end)


def _probe(figures: Figures, connection: Connection, there: int, at: datetime) -> None:
    """Ten batches as the streams send them, and taken back."""
    data = list(_copies(connection, "trading_bet", 10 * BATCH, "4", first=there, at=at))
    with connection.transaction(force_rollback=True):
        began = time.monotonic()
        worked = _copy_all(connection, "trading_bet", data)
        seconds = time.monotonic() - began
    figures.rate("TABLES", f"bets copied into a table of {there:,}", 10 * BATCH, [seconds], "rows/s")
    figures.rate("TABLES", "… to the processor time", 10 * BATCH, [worked], "rows/s·core")


def _sizes(figures: Figures, connection: Connection) -> None:
    found = connection.execute(
        "SELECT pg_size_bytes(pg_size_pretty(sum(pg_table_size(relid)))), sum(pg_indexes_size(relid))"
        " FROM pg_partition_tree('trading_bet') WHERE isleaf"
    ).fetchone()
    for name, size in zip(("rows", "indexes"), found or (), strict=True):
        figures.add("TABLES", f"{name} on disk", int(str(size)) / 2**30, "GiB")


def _read(figures: Figures, connection: Connection, rows: int, end: datetime) -> None:
    some = (
        connection.execute(
            "SELECT id, player_id FROM trading_bet TABLESAMPLE SYSTEM (0.01) LIMIT %s", [READS]
        ).fetchall()
        or connection.execute("SELECT id, player_id FROM trading_bet LIMIT 10").fetchall()
    )
    hour, day = timedelta(hours=1), timedelta(days=1)
    between = "FROM trading_bet WHERE occurred_at >= %s AND occurred_at < %s"
    for name, query, choices in (
        ("a bet by its id", "SELECT * FROM trading_bet WHERE id = %s", [[id] for id, _ in some]),
        ("the last 50 bets of a player",
         "SELECT * FROM trading_bet WHERE player_id = %s ORDER BY occurred_at DESC LIMIT 50", [[p] for _, p in some]),
        ("count and stakes of an hour", f"SELECT count(*), sum(stake) {between}",
         [[end - day - n * hour, end - day - (n - 1) * hour] for n in range(20)]),
        ("count and stakes of a day", f"SELECT count(*), sum(stake) {between}",
         [[end - n * 30 * day, end - (n * 30 - 1) * day] for n in range(1, 11)]),
        ("2,000 offsets of a partition",
         "SELECT count(*) FROM trading_bet WHERE source_partition = %s AND source_offset BETWEEN %s AND %s + 1999",
         [[n % 8, rows // 8 * n // 20, rows // 8 * n // 20] for n in range(20)]),
    ):  # fmt: skip
        _timed_reads(figures, name, [partial(connection.execute, query.encode(), choice) for choice in choices])
    _timed_reads(figures, "the last 30 bets of all", [partial(newest_bets, end, 30)] * 20)


def _timed_reads(figures: Figures, name: str, reads: Sequence[Callable[[], object]]) -> None:
    times = []
    for read in reads:
        began = time.perf_counter()
        read()
        times.append((time.perf_counter() - began) * 1000)
    figures.add("TABLES", f"{name}: median", median(times), "ms", reads=len(times))
    figures.add("TABLES", f"{name}: p99", percentile(times, 0.99), "ms", reads=len(times))


def _copies(
    connection: Connection, table: str, count: int, version: str, first: int = 0, at: datetime | None = None
) -> Iterator[bytes]:
    """Made-up rows as binary COPY takes them, a batch at a time."""
    begin = at or datetime.now(UTC) - timedelta(hours=1)
    for start in range(0, count, BATCH):
        query = _made_up(connection, table, first + start, min(BATCH, count - start), begin, version)
        with connection.cursor() as cursor, cursor.copy(b"COPY (" + query + b") TO STDOUT (FORMAT binary)") as copy:
            yield b"".join(copy)


def _insert(connection: Connection, table: str, first: int, count: int, at: datetime, step: timedelta) -> bytes:
    return f"INSERT INTO {table} ".encode() + _made_up(connection, table, first, count, at, "4", step)


def _made_up(
    connection: Connection, table: str, first: int, count: int, at: datetime, version: str,
    step: timedelta = timedelta(milliseconds=10),
) -> bytes:  # fmt: skip
    columns = connection.execute(
        "SELECT attname, format_type(atttypid, NULL), attnotnull, attnum = ANY(partattrs)"
        " FROM pg_attribute JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_partitioned_table ON partrelid = c.oid"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [table],
    ).fetchall()
    values = ", ".join(
        _value(str(name), str(kind), bool(needed), bool(key), version) for name, kind, needed, key in columns
    )
    at_n = f"timestamptz '{at.isoformat()}' + (n - {first}) * interval '{step.total_seconds():.9f} s'"
    player, series = f"md5('player' || n * 7919 % {PLAYERS})::uuid", f"{first}::bigint, {first + count - 1}"
    rows = f"SELECT n, {at_n} AS at, {player} AS player FROM generate_series({series}) n"  # noqa: S608 - of our words
    return f"SELECT {values} FROM ({rows}) made".encode()  # noqa: S608 - likewise


def _value(name: str, kind: str, needed: bool, key: bool, version: str) -> str:
    if key:
        return IDS[version]
    if name in MADE_UP or needed:
        return f"({MADE_UP.get(name) or MADE_UP[kind]})::{kind}"
    return "NULL"


def _by_month(connection: Connection) -> str:
    """The layout that the platform had before: months by the time in the id, and one partition for the rest."""
    table = _partitioned(connection, f"{NAME}_months", "RANGE")
    connection.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT".encode())
    now = datetime.now(UTC)
    for offset in range(-13, 4):
        months = now.year * 12 + now.month - 1 + offset
        start, end = (uuid7_floor(datetime(m // 12, m % 12 + 1, 1, tzinfo=UTC)) for m in (months, months + 1))
        bounds = f"FOR VALUES FROM ('{start}') TO ('{end}')"
        connection.execute(f"CREATE TABLE {table}_{months} PARTITION OF {table} {bounds}".encode())
    return table


def _by_hash(connection: Connection, number: int) -> str:
    table = _partitioned(connection, f"{NAME}_{number}", "HASH")
    for place in range(number):
        bounds = f"FOR VALUES WITH (MODULUS {number}, REMAINDER {place})"
        connection.execute(f"CREATE TABLE {table}_{place} PARTITION OF {table} {bounds}".encode())
    return table


def _partitioned(connection: Connection, table: str, how: str) -> str:
    connection.execute(f"CREATE TABLE {table} (LIKE trading_bet INCLUDING ALL) PARTITION BY {how} (id)".encode())
    return table
