"""What workers tell Prometheus of themselves ends with them, and with their having a partition."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from django.test import Client, override_settings
from prometheus_client import REGISTRY, CollectorRegistry, Gauge
from prometheus_client.multiprocess import MultiProcessCollector

import backoffice
from tests.spine import Spine, kill, until

STREAM, TOPIC = "trading", "bet-events"
GAUGES = ("pitboss_stream_halted", "pitboss_stream_lag_messages")
FORGETTING = """
from backoffice.streams import telemetry

for gauge in (telemetry.HALTED, telemetry.DIVERTED, telemetry.LAG):
    for partition in (0, 1):
        gauge.labels("trading", "bet-events", partition).set(1)
telemetry.forget("trading", "bet-events", 0)
"""


def told(folder: Path, name: str, partition: int | None = None) -> float | None:
    """By all processes that share the folder."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    labels = {"stream": STREAM, "topic": TOPIC} | ({} if partition is None else {"partition": str(partition)})
    return registry.get_sample_value(name, labels)


def here(name: str, partition: int) -> float | None:
    return REGISTRY.get_sample_value(name, {"stream": STREAM, "topic": TOPIC, "partition": str(partition)})


def test_what_a_killed_worker_said_is_forgotten_and_what_it_counted_is_not(spine: Spine, tmp_path: Path) -> None:
    spine.send_bytes(TOPIC, [b"junk"] * 30, partition=0)
    worker = spine.worker(STREAM, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    until(lambda: told(tmp_path, GAUGES[0], 0) == 1.0, "it says that it is halted")
    dead = told(tmp_path, "pitboss_stream_dead_letters_total")
    with override_settings(METRICS_FOLDER=tmp_path):
        Client().get("/metrics")
        assert told(tmp_path, GAUGES[0], 0) == 1.0

        kill(worker)
        Client().get("/metrics")

    assert [told(tmp_path, name, 0) for name in GAUGES] == [None, None]
    assert told(tmp_path, "pitboss_stream_dead_letters_total") == dead


def test_no_gauge_outlives_the_process_that_set_it() -> None:
    root = Path(backoffice.__file__).parents[1]
    for package in ("backoffice", "players", "wallet", "trading", "compliance"):
        for path in (root / package).rglob("telemetry.py"):
            import_module(".".join(path.relative_to(root).with_suffix("").parts))

    gauges = {each._name: each._multiprocess_mode for each in REGISTRY._collector_to_names if isinstance(each, Gauge)}

    assert "pitboss_stream_clock_ahead_seconds" in gauges
    assert {name for name, mode in gauges.items() if name.startswith("pitboss_") and mode[:4] != "live"} == set()


def test_nothing_is_said_of_partitions_that_were_given_back(spine: Spine) -> None:
    spine.send_bytes(TOPIC, [b"junk"] * 30, partition=0)
    with spine.streaming(STREAM):
        until(lambda: here(GAUGES[0], 0) == 1.0, "it says that it is halted")
        until(lambda: None not in (here(name, 1) for name in GAUGES), "it tells of the other")

    assert [here(name, partition) for name in GAUGES for partition in (0, 1)] == [None] * 4


def test_in_a_shared_file_a_partition_that_was_lost_is_up_no_more(tmp_path: Path) -> None:
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", FORGETTING], env=environ, check=True, timeout=60)

    names = (*GAUGES, "pitboss_stream_diverted")
    assert [told(tmp_path, name, 0) for name in names] == [0.0, None, 0.0]
    assert [told(tmp_path, name, 1) for name in names] == [1.0, 1.0, 1.0]
