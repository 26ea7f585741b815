"""Ports, records of children, and which servers a stack starts."""

import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from backoffice.localstack import ports, processes
from backoffice.localstack.children import Children
from backoffice.localstack.layout import Layout
from backoffice.localstack.stack import Stack


def test_a_port_is_remembered_until_somebody_else_takes_it(tmp_path: Path) -> None:
    first = ports.remembered(tmp_path / "ports.json", ["kafka", "redis"])
    assert ports.remembered(tmp_path / "ports.json", ["kafka", "redis"]) == first

    with socket.create_server((ports.LOOPBACK, first["kafka"])):
        second = ports.remembered(tmp_path / "ports.json", ["kafka", "redis"])

    assert second["kafka"] != first["kafka"]
    assert second["redis"] == first["redis"]
    assert ports.remembered(tmp_path / "ports.json", ["kafka", "redis"]) == second


def test_the_sweep_ends_recorded_processes_with_all_their_descendants(tmp_path: Path) -> None:
    stubborn = "trap '' TERM; sleep 60 & echo up; wait"
    with subprocess.Popen(["sh", "-c", stubborn], start_new_session=True, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        members = processes.family(child.pid)
        children = Children(tmp_path)
        children.record("worker", child.pid)

        children.sweep(grace=0.2)

        assert child.wait(5) == -signal.SIGKILL
    assert len(members) == 2
    assert processes.gone(members, timeout=0)
    assert children.names() == []


def test_the_sweep_ends_what_a_recorded_process_left_when_it_died(tmp_path: Path) -> None:
    children = Children(tmp_path)
    with subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo up; wait"], start_new_session=True, stdout=subprocess.PIPE
    ) as head:
        assert head.stdout is not None
        head.stdout.readline()
        children.record("worker", head.pid)
        left = processes.family(head.pid)
        head.kill()
        head.wait()

        children.sweep(grace=0.2)

    assert len(left) == 2
    assert processes.gone(left, timeout=0)


def test_the_sweep_leaves_a_process_alone_that_only_has_the_same_id(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        seen = processes.look(stranger.pid)
        assert seen is not None
        record = {"pid": stranger.pid, "ticks": seen.ticks - 1, "signal": int(signal.SIGTERM)}
        (tmp_path / "worker").write_text(json.dumps(record))
        (tmp_path / "torn").write_text('{"pid": 12')

        Children(tmp_path).sweep(grace=0.2)

        assert stranger.poll() is None
        stranger.kill()
    assert Children(tmp_path).names() == []


@pytest.mark.parametrize(
    ("outside", "started"),
    [
        ({}, {"postgres", "redis", "kafka", "registry"}),
        ({"REDIS_URL": "redis://elsewhere"}, {"postgres", "kafka", "registry"}),
        # The registry keeps its own database even where Pitboss' is elsewhere.
        ({"DATABASE_URL": "postgresql://elsewhere"}, {"postgres", "redis", "kafka", "registry"}),
        ({"DATABASE_URL": "postgresql://elsewhere", "SCHEMA_REGISTRY_URL": "http://elsewhere"}, {"redis", "kafka"}),
    ],
)
def test_a_server_that_the_environment_names_is_not_started(
    tmp_path: Path, outside: dict[str, str], started: set[str]
) -> None:
    layout = Layout(tmp_path)
    layout.make()

    stack = Stack(layout, outside)

    assert set(stack.parts) == started
    assert outside.items() <= stack.environ().items()
