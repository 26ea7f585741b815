"""Says of a worker that others do not see its metrics: it goes on without, and would look as if it were not there."""

import logging
import os
import socket
import threading

from backoffice import metric_files
from backoffice.kernel.errors import Retryable

from ...database import Connection, brief
from ...serving import MetricsPort

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
# Seconds (by Postgres' clock) after which a worker that has said nothing of it is well, or is no more.
GONE_SECONDS = 60


class MetricsWatch(threading.Thread):
    """Opens the port as soon as that can be, and tells in log and Postgres of what is in the way until then."""

    def __init__(self, port: MetricsPort, stopping: threading.Event) -> None:
        super().__init__(name="watch-metrics", daemon=True)
        self._port = port
        self._stopping = stopping
        self._told = ""

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except Retryable as error:
                log.info("that metrics are hidden cannot be noted now: %s", error)
            except Exception:
                log.exception("the watch over metrics failed; it goes on")
            self._stopping.wait(LOOK_SECONDS)

    def look(self) -> None:
        port, alone = self._port.open(), metric_files.alone()
        if port != self._told:
            log.log(logging.ERROR if port else logging.INFO, "%s", f"{port}; it goes on without" if port else _OPEN)
            self._told = port
        if port or alone:
            with brief() as connection:
                note(connection, "; ".join(filter(None, (port, alone))))


_OPEN = "METRICS_PORT is served now"


def note(connection: Connection, told: str) -> None:
    """Of this process; what others have said of themselves long ago is forgotten."""
    with connection.transaction():
        connection.execute(
            "DELETE FROM streams_hidden_metrics WHERE seen_at < clock_timestamp() - make_interval(secs => %s)",
            [GONE_SECONDS],
        )
        connection.execute(
            "INSERT INTO streams_hidden_metrics (host, pid, told, seen_at) VALUES (%s, %s, %s, clock_timestamp())"
            " ON CONFLICT (host, pid) DO UPDATE SET told = excluded.told, seen_at = excluded.seen_at",
            [socket.gethostname(), os.getpid(), told],
        )
