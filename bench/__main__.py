"""`python -m bench [NAMES] [--quick]`, inside `python -m backoffice.localstack exec --`."""

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import django

from bench.figures import RESULTS, Figures

NAMES = ("b1", "b1-flat", "b2", "b3", "b4", "feed", "sim", "tables")
# Only when it is named, with the checkout that it compares this one with.
OLDER = "b1-old"
ON_SERVERS = {"b1", "b3", "b4"}
FRESHNESS_RATE = 10_000.0
"""Events a second for B3 where B1 is not run before it."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="The benchmarks; all of them without a name.")
    parser.add_argument("names", nargs="*", metavar="|".join([*NAMES, OLDER]), help="only these")
    parser.add_argument("--quick", action="store_true", help="small counts: does it run at all?")
    parser.add_argument("--rows", type=int, default=0, help="for tables: fill one with so many rows, such as 100000000")
    parser.add_argument("--old", type=Path, help=f"for {OLDER}: an older checkout of this project")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the figures are written")
    options = parser.parse_args()
    if unknown := set(options.names) - {*NAMES, OLDER}:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    if (OLDER in options.names) != (options.old is not None):
        parser.error(f"{OLDER} and --old go together")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings.local")
    django.setup()
    logging.getLogger().setLevel(logging.WARNING)
    figures = Figures()
    run(options.names or NAMES, figures, quick=options.quick, rows=options.rows, old=options.old)
    figures.write(options.results, quick=options.quick)


def run(names: Sequence[str], figures: Figures, *, quick: bool, rows: int = 0, old: Path | None = None) -> None:
    """The benchmarks of these names; B1, B3 and B4 each on what the one before left of the stand."""
    from bench import decode, feed, flat, freshness, ingest, older, rollups, simulator, tables
    from bench.stand import stand

    if "b2" in names:
        decode.run(figures, quick=quick)
    if "feed" in names:
        feed.run(figures, quick=quick)
    if ON_SERVERS & set(names):
        with stand() as here:
            rate = ingest.run(figures, here, quick=quick) if "b1" in names else FRESHNESS_RATE * 4
            if "b3" in names:
                freshness.run(figures, here, rate / 4, quick=quick)
            if "b4" in names:
                rollups.run(figures, here, quick=quick)
    if "b1-flat" in names:
        with stand() as here:
            flat.run(figures, here, quick=quick)
    if OLDER in names and old is not None:
        older.run(figures, old, quick=quick)
    if "sim" in names:
        with stand() as here:
            simulator.run(figures, here, quick=quick)
    if "tables" in names:
        with stand() as here:
            tables.run(figures, here, quick=quick, rows=rows)


if __name__ == "__main__":
    main()
