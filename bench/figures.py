"""The figures of a run: printed one a line, and kept with their parts and the machine."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Figure:
    """``parts`` are all repetitions of each quantity that the value comes from, in the order in which they were run."""

    benchmark: str
    name: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None
    parts: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        verdict = "" if self.met is None else f"  target {self.target}: {'met' if self.met else 'MISSED'}"
        return f"{self.benchmark:7} {self.name:58} {_shown(self.value):>12} {self.unit:8}{verdict}"


@dataclass
class Figures:
    found: list[Figure] = field(default_factory=list)

    def add(
        self, benchmark: str, name: str, value: float, unit: str, *,
        at_least: float | None = None, at_most: float | None = None, **parts: Any,
    ) -> None:  # fmt: skip
        target, met = "", None
        if at_least is not None:
            target, met = f">= {at_least:g}", value >= at_least
        if at_most is not None:
            target, met = f"<= {at_most:g}", value <= at_most
        figure = Figure(benchmark, name, value, unit, target, met, parts)
        self.found.append(figure)
        print(figure.line(), flush=True)

    def rate(
        self, benchmark: str, name: str, count: int, seconds: list[float], unit: str = "ev/s", *,
        at_least: float | None = None,
    ) -> float:  # fmt: skip
        """The median rate of repetitions that did ``count`` each."""
        rates = [count / second for second in seconds]
        self.add(benchmark, name, median(rates), unit, at_least=at_least, repetitions=rates, count=count)
        return median(rates)

    def write(self, file: Path, *, quick: bool) -> None:
        """Into the file, beside the figures of other benchmarks that it holds already (from a run of the same kind)."""
        ours = {figure.benchmark for figure in self.found}
        before = json.loads(file.read_text("utf-8")) if file.exists() else {}
        kept = [f for f in before.get("figures", []) if before.get("quick") == quick and f["benchmark"] not in ours]
        figures = sorted([*kept, *map(asdict, self.found)], key=lambda figure: str(figure["benchmark"]))
        said = {"machine": machine(), "quick": quick, "figures": figures}
        file.write_text(json.dumps(said, indent=1) + "\n", "utf-8")


def machine() -> dict[str, object]:
    return {
        "cpu": _first_value(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _first_value(file: Path, name: str) -> str:
    if not file.exists():
        return ""
    lines = (line.partition(":") for line in file.read_text("utf-8").splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
