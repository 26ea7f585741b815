"""The folder of the metrics does not grow with restarts, and no count is lost or doubled by adding files up."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from prometheus_client import CollectorRegistry, generate_latest

from backoffice import ended_metrics
from backoffice.ended_metrics import forget_ended, looking_at
from backoffice.metric_files import SharedNumbers

# An entry of any length of key, so that each padding comes up; labels of any alphabet.
LABELS = [*("x" * length for length in range(9)), "Łódź", "日本", 'a "quoted" one']
COUNTS = f"""
from backoffice import metric_files

metric_files.reserve()
from prometheus_client import Counter, Gauge, Histogram, Summary

labels = {LABELS!r}
counter, histogram, summary = Counter("c", "", ("of",)), Histogram("h", "", ("of",)), Summary("s", "", ("of",))
for number, label in enumerate(labels):
    counter.labels(label).inc(number + 0.5)
    histogram.labels(label).observe(number)
    summary.labels(label).observe(number)
Gauge("lives", "", multiprocess_mode="livemax").set(7)
"""


class KilledError(BaseException):
    """In place of SIGKILL: nothing of ours runs behind it."""


def page(folder: Path) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(SharedNumbers(folder))
    lines = (line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def restarted(folder: Path, times: int) -> None:
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    for _ in range(times):
        subprocess.run([sys.executable, "-c", COUNTS], env=environ, check=True, timeout=60)


def test_what_ended_processes_counted_is_one_file_a_kind(tmp_path: Path) -> None:
    restarted(tmp_path, 3)
    before = page(tmp_path)
    before.pop("lives")

    forget_ended(tmp_path)

    assert names(tmp_path) == ["counter_ended.db", "histogram_ended.db", "summary_ended.db"]
    assert page(tmp_path) == before
    assert before['c_total{of="日本"}'] == 3 * 10.5
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    restarted(tmp_path, 1)
    forget_ended(tmp_path)
    assert {key: value / 4 for key, value in page(tmp_path).items()} == pytest.approx(
        {key: value / 3 for key, value in before.items()}
    )
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == size


def test_a_process_that_lives_keeps_its_file(tmp_path: Path) -> None:
    restarted(tmp_path, 1)
    (counter,) = tmp_path.glob("counter_*.db")
    before = page(tmp_path)
    before.pop("lives")
    with counter.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        forget_ended(tmp_path)

        assert names(tmp_path) == [counter.name, "histogram_ended.db", "summary_ended.db"]
    assert page(tmp_path) == before


@pytest.mark.parametrize("call", range(1, 16))
def test_killed_at_any_moment_nothing_is_lost_or_doubled(
    call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarted(tmp_path, 1)
    forget_ended(tmp_path)
    restarted(tmp_path, 2)
    before = page(tmp_path)
    before.pop("lives")
    calls = 0

    def killing(act: str) -> None:
        real = getattr(Path, act)

        def killed(self: Path, *args: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls == call:
                raise KilledError
            return real(self, *args, **options)

        monkeypatch.setattr(Path, act, killed)

    for act in ("write_bytes", "write_text", "replace", "unlink"):
        killing(act)
    with pytest.raises(KilledError):
        forget_ended(tmp_path)
    monkeypatch.undo()

    forget_ended(tmp_path)

    assert names(tmp_path) == ["counter_ended.db", "histogram_ended.db", "summary_ended.db"]
    assert page(tmp_path) == before


def test_a_file_that_is_torn_is_added_to_nothing_and_no_other_lost(tmp_path: Path) -> None:
    restarted(tmp_path, 2)
    torn = tmp_path / "counter_1.db"
    torn.write_bytes(b"\377\377\0\0" + b"rubbish" * 20)
    before = names(tmp_path)

    forget_ended(tmp_path)

    assert [name for name in names(tmp_path) if name.startswith("counter")] == [
        name for name in before if name.startswith("counter")
    ]
    torn.unlink()
    forget_ended(tmp_path)
    assert page(tmp_path)['c_total{of="x"}'] == 2 * 1.5


def test_without_room_for_the_sum_all_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restarted(tmp_path, 2)
    before = page(tmp_path)
    before.pop("lives")

    def full(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(ended_metrics, "_write_whole", full)

    forget_ended(tmp_path)

    assert not list(tmp_path.glob("*_ended*"))
    assert page(tmp_path) == before


def test_nothing_is_added_up_while_somebody_looks_and_nobody_waits_for_that(tmp_path: Path) -> None:
    restarted(tmp_path, 2)
    before = names(tmp_path)
    with looking_at(tmp_path):
        forget_ended(tmp_path)
        assert names(tmp_path) == before

    forget_ended(tmp_path)

    assert names(tmp_path) == ["counter_ended.db", "histogram_ended.db", "summary_ended.db"]


def test_a_process_that_starts_makes_up_for_one_that_was_killed_before_it_takes_a_file(tmp_path: Path) -> None:
    """Or one of the same number, as is usual in containers, would count on in a file that is in the sum already."""
    restarted(tmp_path, 1)
    (counter,) = tmp_path.glob("counter_*.db")
    before = page(tmp_path)
    before.pop("lives")
    forget_ended(tmp_path)
    # As after a kill: the sum is there, the plan says so, and the file still stands.
    counter.write_bytes((tmp_path / "counter_ended.db").read_bytes())
    (tmp_path / "counter_ended.plan").write_text(json.dumps([counter.name]))

    environ = os.environ | {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE,
    }
    begins = f"from backoffice.settings import base; print({str(counter)!r} in map(str, base.METRICS_FOLDER.iterdir()))"
    done = subprocess.run([sys.executable, "-c", begins], env=environ, check=True, timeout=60, capture_output=True)

    assert done.stdout.split() == [b"False"]
    assert page(tmp_path) == before
