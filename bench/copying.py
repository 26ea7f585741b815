"""The denominator: binary COPY of rows that lie in memory as the very bytes Postgres takes.

`python -m bench.copying FOLDER SLICES NUMBER COUNT` sends the files of FOLDER/NUMBER-of-COUNT, one transaction for each
slice, every time it is told to.
"""

import os
import sys
from pathlib import Path

import psycopg
from psycopg import sql

from bench.crew import DONE, READY, say

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
CHUNK = 1 << 18


def folder_of(root: Path, number: int, count: int) -> Path:
    return root / f"{number}-of-{count}"


def dump(
    connection: psycopg.Connection[tuple[object, ...]], query: sql.Composed, folder: Path, name: str, slices: int
) -> int:
    """The rows of a query into ``slices`` files of as many rows each, in the order in which they come; their number."""
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)) as copy,
    ):
        rows = [bytes(row) for row in copy]
    # The header comes with the first row, the trailer as the last.
    rows[0] = rows[0].removeprefix(HEADER)
    rows = [row for row in rows if row != TRAILER]
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(slices):
        part = rows[len(rows) * number // slices : len(rows) * (number + 1) // slices]
        (folder / f"{number:04}.{name}").write_bytes(HEADER + b"".join(part) + TRAILER)
    return len(rows)


def load(folder: Path) -> list[list[tuple[sql.Composed, bytes]]]:
    """For each slice the statements and what they are sent."""
    slices: dict[str, list[tuple[sql.Composed, bytes]]] = {}
    for file in sorted(folder.iterdir()):
        number, _, table = file.name.partition(".")
        statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(table))
        slices.setdefault(number, []).append((statement, file.read_bytes()))
    return list(slices.values())


def send(connection: psycopg.Connection[tuple[object, ...]], slices: list[list[tuple[sql.Composed, bytes]]]) -> None:
    for tables in slices:
        with connection.transaction(), connection.cursor() as cursor:
            for statement, data in tables:
                with cursor.copy(statement) as copy:
                    for start in range(0, len(data), CHUNK):
                        copy.write(data[start : start + CHUNK])


def main(root: str, number: str, count: str) -> None:
    slices = load(folder_of(Path(root), int(number), int(count)))
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        say(READY)
        while sys.stdin.readline():
            send(connection, slices)
            say(DONE)


if __name__ == "__main__":
    main(*sys.argv[1:])
