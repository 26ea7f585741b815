"""Pitboss' own processes of `make run` and the commands that start them."""

import sys

from .layout import Layout

NAMES = ("web", "worker-1", "worker-2", "beat", "simulator", "feed", "numbers")
# Those that may have nothing to do, and end then: there is no recording to play where no recordings are.
MAY_END = frozenset({"feed"})
# Dashboards hold their streams open for ever; without a limit the web server would wait for them to leave.
_LAST_REQUESTS_SECONDS = "3"


def command(name: str, layout: Layout, port: int) -> list[str]:
    """The command of one process, made anew for each of its starts."""
    celery = ["-m", "celery", "--quiet", "-A", "backoffice"]
    if name == "web":
        words = ["-m", "uvicorn", "backoffice.asgi:application", "--host", "127.0.0.1", "--port", str(port)]
        words += ["--http", "backoffice.web.connections:Bounded"]
        words += ["--ws", "websockets-sansio", "--ws-per-message-deflate", "false"]
        words += ["--timeout-graceful-shutdown", _LAST_REQUESTS_SECONDS]
    elif name.startswith("worker-"):
        words = [*celery, "worker", "--streams", "all"]
        words += ["--hostname", f"{name}@%h"]
    elif name == "beat":
        words = [*celery, "beat", "--schedule", str(layout.run / "celerybeat-schedule")]
    elif name == "numbers":
        words = ["manage.py", "status", "--line", "--every", "5"]
    elif name == "feed":
        words = ["manage.py", "feed", "betfair", "--demo"]
    else:
        words = ["manage.py", "simulate", "--seed", "7", "--rate", "200", "--backfill", "30d"]
        words += ["--state", str(layout.data / "simulator.state")]
    return [sys.executable, *words]
