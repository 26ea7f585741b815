"""B1-OLD: B1 of an older checkout and of this one, each as it stands, in turns on the same servers.

Both run in processes of their own with the packages of this one. COPY is not the same work for both: each sends the
rows of its own tables, with its own partitions and indexes; so rates are compared, and the ratios to COPY beside them.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.figures import Figures

TODAY = Path(__file__).resolve().parents[1]
TURNS = 3

Values = dict[str, list[float]]


def run(figures: Figures, old: Path, *, quick: bool) -> None:
    """
    Raises:
        subprocess.CalledProcessError: a B1 failed; what it said stands above.
    """
    before: Values = {}
    now: Values = {}
    for _ in range(1 if quick else TURNS):
        for checkout, found in ((old, before), (TODAY, now)):
            for name, value in _b1(checkout, quick=quick).items():
                found.setdefault(name, []).append(value)
    for workers, at_least in (("1 worker", 1.0), ("2 workers", None)):
        rate, ratio = f"stream ({workers})", f"stream ÷ COPY ({workers})"
        _compare(figures, f"today's rate ÷ the old code's ({workers})", before[rate], now[rate], at_least)
        _compare(figures, f"today's ratio to COPY ÷ the old code's ({workers})", before[ratio], now[ratio], None)


def _compare(figures: Figures, name: str, before: list[float], now: list[float], at_least: float | None) -> None:
    figures.add("B1-OLD", name, median(now) / median(before), "×", at_least=at_least, old=before, today=now)


def _b1(checkout: Path, *, quick: bool) -> dict[str, float]:
    """The figures of one B1, by name."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        words = [sys.executable, "-m", "bench", "b1", "--results", str(results), *(["--quick"] if quick else [])]
        subprocess.run(words, cwd=checkout, check=True, stdout=subprocess.DEVNULL)
        figures = json.loads(results.read_text("utf-8"))["figures"]
    return {figure["name"]: figure["value"] for figure in figures}
