"""`make run`: the servers, the tables and topics, then Pitboss itself, until somebody ends it."""

import json
import logging
import os
import shlex
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import honcho.manager

from . import apps, environment, interrupts, keep, ports, shared
from .children import Children
from .errors import StackError
from .layout import PROJECT, Layout
from .stack import Stack, locked_data, started

FIRST_PORT = 8000
PATIENCE_SECONDS = 180.0

log = logging.getLogger(__name__)


def run(data: Path) -> int:
    """Run all of Pitboss until Ctrl-C or SIGTERM; the exit code.

    Raises:
        StackError: it runs already, a server or a preparation failed, or a port is taken.
    """
    interrupts.catch()
    with locked_data(data) as (layout, lock):
        port = _web_port()
        lock.describe(f"http://{ports.LOOPBACK}:{port}")
        log.info("Starting PostgreSQL, Valkey, Kafka and the schema registry.")
        with started(layout) as stack, shared.metrics_folder(layout) as metrics:
            addresses = _addresses(stack, port)
            (layout.run / "addresses.json").write_text(json.dumps(addresses))
            _leave_word(layout, stack)
            environ = _environ(stack, port, metrics)
            for words in (["migrate", "--verbosity", "0"], ["topics", "--apply"]):
                _manage(words, environ)
            return _serve(layout, environ, port, f"{table(addresses)}\n\nSign in as\n{_demo_users(environ)}")


def _web_port() -> int:
    asked = os.environ.get("PITBOSS_PORT", "")
    if not asked:
        return ports.first_free(FIRST_PORT)
    if not asked.isdigit() or not 0 < int(asked) < 1 << 16:
        raise StackError(f"PITBOSS_PORT is {asked!r}; give a number from 1 to 65535.")
    if not ports.is_free(int(asked)):
        raise StackError(f"Port {asked} is taken or not allowed; set PITBOSS_PORT to another, or leave it unset.")
    return int(asked)


def _environ(stack: Stack, port: int, metrics: Path) -> dict[str, str]:
    defaults = {"DJANGO_SETTINGS_MODULE": "backoffice.settings.local"}
    ours = {"PITBOSS_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    # Where all processes leave their metrics, for the web to add up.
    ours["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    return defaults | environment.for_pitboss() | stack.environ() | ours


def _leave_word(layout: Layout, stack: Stack) -> None:
    """Where the servers are that were started here, for the settings of whoever works beside this run."""
    lines = [f"{variable}={address}\n" for variable, address in stack.started().items()]
    (layout.run / "environ").write_text("".join(lines))


def _manage(words: list[str], environ: dict[str, str]) -> None:
    log.info("manage.py %s", " ".join(words))
    done = subprocess.run([sys.executable, "manage.py", *words], cwd=PROJECT, env=environ, check=False)
    if done.returncode:
        raise StackError(f"`manage.py {' '.join(words)}` failed (exit {done.returncode}); what it said stands above.")


def _demo_users(environ: dict[str, str]) -> str:
    """Who can sign in, and with which password; nobody is made up where the settings are not those of this machine."""
    done = subprocess.run(
        [sys.executable, "manage.py", "demo_users"],
        cwd=PROJECT, env=environ, check=False, capture_output=True, text=True,
    )  # fmt: skip
    return (done.stdout or done.stderr).rstrip()


def _serve(layout: Layout, environ: dict[str, str], port: int, overview: str) -> int:
    """Pitboss' processes side by side, their output line by line on ours."""
    honcho.manager.KILL_WAIT = keep.GRACE_SECONDS + 2
    manager = honcho.manager.Manager()
    for name in apps.NAMES:
        # "exec": without it a shell would stand between the manager's signals and the keeper.
        command = "exec " + shlex.join(keep.words(name, layout, port))
        manager.add_process(name, command, env=environ, cwd=str(PROJECT))
    threading.Thread(target=_announce, args=(port, overview), daemon=True).start()
    try:
        manager.loop()
    finally:
        interrupts.ignore()
        Children(layout.apps).sweep(grace=keep.GRACE_SECONDS + 2)
    return int(manager.returncode or 0)


def _announce(port: int, overview: str) -> None:
    """Say where Pitboss is as soon as it is ready, or what to look at when it does not get so."""
    address = f"http://{ports.LOOPBACK}:{port}"
    until = time.monotonic() + PATIENCE_SECONDS
    while not _ready(f"{address}/health/ready"):
        if time.monotonic() > until:
            log.warning("%s/health/ready still does not answer 200; open it to see which part is not ready.", address)
            return
        time.sleep(0.5)
    print(f"\nPitboss is ready: {address}\n\n{overview}\n\nStop it with Ctrl-C.\n", flush=True)


def _ready(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _addresses(stack: Stack, port: int) -> dict[str, str]:
    """Where each part listens; addresses only, an address given from outside may hold a password."""
    environ = stack.environ()
    found = {"web": f"{ports.LOOPBACK}:{port}", "kafka": environ["KAFKA_BOOTSTRAP_SERVERS"]}
    for name, variable in (("postgres", "DATABASE_URL"), ("redis", "REDIS_URL"), ("registry", "SCHEMA_REGISTRY_URL")):
        found[name] = urlsplit(environ[variable]).netloc.rpartition("@")[2]
    return {name: found[name] for name in ("web", "postgres", "redis", "kafka", "registry")}


def table(rows: dict[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows.items())
