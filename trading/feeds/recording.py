"""Recorded messages: a file of one message a line, plain or gzip, and what lies beside it."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from trading.feeds.adapter import LONGEST_MESSAGE, Malformed

_GZIP = b"\x1f\x8b"


def lines(file: Path) -> Iterator[bytes]:
    """The messages in their order, without their line ends. Of one that is too long, as much as shows that it is.

    Raises:
        OSError: the file cannot be opened or read.
        Malformed: it is cut short or damaged from here on; what was before has been given out.
    """
    with file.open("rb") as raw:
        is_zipped = raw.read(len(_GZIP)) == _GZIP
        raw.seek(0)
        yield from _unzipped(raw) if is_zipped else _bounded(raw)


def beside(file: Path) -> list[Path]:
    """Files about the same thing in the same folder: those named `<what>-<name>.<anything>` for `<name>.<anything>`.

    Betfair's are a market's catalogue and the scores of its match.
    """
    name = _name(file)
    return sorted(each for each in file.parent.iterdir() if _name(each).endswith(f"-{name}") and each.is_file())


def _name(file: Path) -> str:
    """Without the endings that say how it is written; a name may have dots of its own."""
    name = file.name
    for ending in (".gz", ".ndjson", ".jsonl", ".json"):
        name = name.removesuffix(ending)
    return name


def _bounded(source: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    most = LONGEST_MESSAGE + len(b"\r\n")
    while line := source.readline(most):
        yield line.rstrip(b"\r\n")
        while len(line) == most and not line.endswith(b"\n"):
            line = source.readline(most)


def _unzipped(raw: IO[bytes]) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=raw) as source:
            yield from _bounded(source)
    except (EOFError, zlib.error, gzip.BadGzipFile) as damage:
        raise Malformed(f"the rest of the file cannot be unzipped: {damage}") from damage
