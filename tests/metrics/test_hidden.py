"""Metrics that nobody sees: a worker stores all the same, a web process answers, and it is said where people look."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client, override_settings

from backoffice.streams.models import HiddenMetrics
from backoffice.streams.serving import MetricsPort
from tests.live.web import Web
from tests.spine import Spine, until

FIRST_FREE_TO_ALL = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    """A port of every address on which somebody listens."""
    with socket.create_server(("", 0)) as listening:
        yield listening


def ready() -> dict[str, Any]:
    found: dict[str, Any] = Client().get("/health/ready").json()
    return found


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("status", *arguments, stdout=out)
    return out.getvalue()


def test_a_worker_whose_port_is_taken_stores_and_serves_it_once_it_is_free(
    spine: Spine, taken: socket.socket, tmp_path: Path
) -> None:
    port = taken.getsockname()[1]
    assert ready()["metrics"] == "ok"
    with (tmp_path / "log").open("wb") as log:
        worker = spine.worker("trading", output=log.fileno(), METRICS_PORT=str(port))
    spine.send_bytes("bet-events", [b"junk"], partition=0)
    spine.wait_drained("trading")
    until(HiddenMetrics.objects.exists, "it says so")

    told = f"METRICS_PORT {port} is taken by "
    assert told in ready()["metrics"]
    assert (
        f"worker {worker.pid} at {socket.gethostname()}: {told}"
        in Client().get("/health/facts").json()["hidden_metrics"][0]
    )
    assert "pitboss_hidden_metrics 1.0" in Client().get("/metrics").content.decode()
    assert "! METRICS" in said()
    assert "METRICS HIDDEN" in said("--line")
    assert told in json.loads(said("--json"))["hidden_metrics"][0]

    taken.close()

    until(lambda: answers(port), "it serves the port now")
    words = (tmp_path / "log").read_text()
    assert (words.count(told), words.count("Traceback")) == (1, 0)
    until(lambda: "METRICS_PORT is served now" in (tmp_path / "log").read_text(), "and says so")


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
            return b"pitboss_stream_messages_total" in response.read()
    except OSError:
        return False


def test_it_is_named_who_has_the_port_and_what_can_be_done(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    me = Path("/proc/self/comm").read_text().strip()

    told = MetricsPort(port).open()

    pid = Path("/proc/self").resolve().name
    assert told == f"METRICS_PORT {port} is taken by {me} (pid {pid}): end that, or give this worker another port"
    assert MetricsPort(0).open() == ""


@pytest.mark.skipif(int(FIRST_FREE_TO_ALL.read_text()) < 2, reason="this machine allows every port to everybody")
def test_a_port_that_is_not_allowed_is_named() -> None:
    code = "from backoffice.streams.serving import MetricsPort; print(MetricsPort(1).open())"
    without = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"]
    words = [*(without if os.geteuid() == 0 else []), sys.executable, "-c", code]

    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    assert done.stdout == (
        "METRICS_PORT 1 is not allowed to our user: give this worker a port above 1023, or the user the right\n"
    )


def test_a_web_process_without_room_for_its_metrics_tells_its_own(spine: Spine, tmp_path: Path) -> None:
    folder = tmp_path / "missing"
    web = Web(spine.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}, tmp_path)
    try:
        web.start()
        web.get("/sign-in")

        told = f"metrics are of this process only: {folder}: No such file or directory; give that folder room"
        assert json.loads(web.get("/health/ready"))["metrics"].startswith(told)
        assert 'django_http_responses_total_by_status_total{status="200"}' in web.get("/metrics")
        assert web.log.read_text().count(told) == 1
    finally:
        web.kill()


def test_a_torn_file_of_metrics_hides_no_facts(database: str, tmp_path: Path) -> None:
    (tmp_path / "counter_1.db").write_bytes(b"\377\377\0\0" + b"rubbish" * 20)

    with override_settings(METRICS_FOLDER=tmp_path):
        page = Client().get("/metrics")

    assert page.status_code == 200
    assert b"pitboss_numbers_readable 0.0" in page.content
    assert b"pitboss_facts_readable 1.0" in page.content
