"""`python -m bench [b1 b2 b3 b4] [--quick]`, inside `python -m backoffice.localstack exec --`."""

import argparse
import logging
from pathlib import Path

import django

from bench.figures import RESULTS, Figures

NAMES = ("b1", "b2", "b3", "b4")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="The benchmarks; all of them without a name.")
    parser.add_argument("names", nargs="*", metavar="|".join(NAMES), help="only these")
    parser.add_argument("--quick", action="store_true", help="small counts: does it run at all?")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the figures are written")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    django.setup()
    logging.getLogger().setLevel(logging.WARNING)
    figures = Figures()
    run(options.names or NAMES, figures, quick=options.quick)
    figures.write(options.results, quick=options.quick)


def run(names: "list[str] | tuple[str, ...]", figures: Figures, *, quick: bool) -> None:
    from bench import ingest
    from bench.stand import stand

    with stand() as here:
        if "b1" in names:
            ingest.run(figures, here, quick=quick)


if __name__ == "__main__":
    main()
