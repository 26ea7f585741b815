"""`make run` around small stand-ins for Pitboss' own processes: kept alive, ended with all they started."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from backoffice.localstack import memory
from backoffice.localstack.children import Children
from backoffice.localstack.layout import PROJECT, Layout
from tests.localstack.conftest import Started, of, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("localstack")]
PATIENCE_SECONDS = 60

WEB = """
import http.server, sys

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Ready).serve_forever()
"""
WORKER = """
import subprocess, time

subprocess.Popen(["sh", "-c", "CHILD"])
time.sleep(60)
"""
STUBBORN = "trap '' TERM; sleep 60 & wait"
MANAGE = """
import sys, time

print("manage", *sys.argv[1:], flush=True)
if sys.argv[1] == "simulate":
    time.sleep(60)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The local stack in a project of its own, in a folder with a space.

    ``python -m uvicorn`` and ``python -m celery`` find the stand-ins first, they lie in the working folder.
    """
    root = tmp_path / "pit boss"
    shutil.copytree(PROJECT / "backoffice" / "localstack", root / "backoffice" / "localstack")
    (root / "backoffice" / "__init__.py").touch()
    for name, text in {
        "uvicorn.py": WEB,
        "celery.py": WORKER.replace("CHILD", "sleep 60"),
        "manage.py": MANAGE,
    }.items():
        (root / name).write_text(text)
    return root


@pytest.fixture
def pids(project: Path) -> Callable[[str], int | None]:
    return Children(Layout(project / ".local").apps).pid


SAYS_WHERE = """
import sys
sys.path.append(sys.argv[1])
from backoffice.settings import local
print(local.DATABASE_URL, local.REDIS_URL, local.KAFKA["bootstrap.servers"])
"""


def test_what_is_typed_beside_it_finds_its_servers(start: Callable[..., Started], project: Path) -> None:
    for package in ("settings", "contracts", "kernel"):
        shutil.copytree(PROJECT / "backoffice" / package, project / "backoffice" / package)
    for module in ("metric_files", "ended_metrics"):
        shutil.copy(PROJECT / "backoffice" / f"{module}.py", project / "backoffice")
    run = start("run", cwd=project)
    run.says("Pitboss is ready")
    addresses = json.loads((project / ".local" / "run" / "addresses.json").read_text())

    def said(**variables: str) -> list[str]:
        command = [sys.executable, "-P", "-c", SAYS_WHERE, str(project)]
        return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout.split()

    database, redis, kafka = said()
    assert urlsplit(database).netloc.rpartition("@")[2] == addresses["postgres"]
    assert urlsplit(redis).netloc == addresses["redis"]
    assert kafka != addresses["kafka"], "an address from outside may hold a password and is written nowhere"
    assert said(DATABASE_URL="postgresql://elsewhere/db")[0] == "postgresql://elsewhere/db"


def test_a_killed_worker_comes_back_and_ctrl_c_ends_everything(
    start: Callable[..., Started], project: Path, pids: Callable[[str], int | None]
) -> None:
    (project / "celery.py").write_text(WORKER.replace("CHILD", STUBBORN))
    run = start("run", cwd=project)
    run.says("Pitboss is ready: http://127.0.0.1:")
    run.says("manage simulate")
    assert (
        run.said.index("manage migrate") < run.said.index("manage topics --apply") < run.said.index("manage simulate")
    )
    address = next(word for word in run.said.split() if word.startswith("http://127.0.0.1:"))
    assert urllib.request.urlopen(address, timeout=5).status == 200
    worker = pids("worker-1")
    assert worker is not None

    os.kill(worker, signal.SIGKILL)

    wait_until(lambda: pids("worker-1") not in (None, worker))
    assert run.said.count("manage feed") == 1
    assert start("run", cwd=project).ends() == 1
    assert run.process.poll() is None
    run.process.send_signal(signal.SIGINT)
    assert run.ends(20) == 128 + signal.SIGINT
    assert of(str(project)) == []


def test_when_run_itself_is_killed_nothing_outlives_it_and_the_next_run_starts(
    start: Callable[..., Started], project: Path
) -> None:
    first = start("run", cwd=project)
    first.says("Pitboss is ready")

    first.process.kill()
    first.ends()
    second = start("run", cwd=project)

    second.says("Pitboss is ready")
    assert second.process.poll() is None
    second.process.kill()
    wait_until(lambda: of(str(project)) == [])


@pytest.mark.skipif(not memory.is_in_memory(memory.MEMORY), reason="this machine has no folder in memory")
def test_a_run_that_ends_or_fails_to_start_leaves_nothing_in_memory(
    start: Callable[..., Started], project: Path
) -> None:
    made = memory.place(Layout(project / ".local"), "metrics")
    run = start("run", cwd=project)
    run.says("Pitboss is ready")
    assert made.exists()
    run.process.send_signal(signal.SIGINT)
    run.ends(PATIENCE_SECONDS)
    assert not made.exists()

    (project / "manage.py").write_text("import sys\nsys.exit(1)\n")
    assert start("run", cwd=project).ends(PATIENCE_SECONDS) == 1
    assert not made.exists()


def test_a_taken_port_is_named(start: Callable[..., Started], project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("PITBOSS_PORT", str(port))

        run = start("run", cwd=project)

        assert run.ends() == 1
        assert run.said == f"Port {port} is taken or not allowed; set PITBOSS_PORT to another, or leave it unset.\n"
