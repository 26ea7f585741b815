"""Redis goes without a word: nothing comes over its connections any more, while new ones are served."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from tests.spine import Spine, until

JOB = "SELECT max(succeeded_at) FROM streams_clocked_job WHERE name = 'trading.judge_silence'"


class Middlebox:
    """Hands on what comes for Redis, until it forgets the connections that are there."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._redis = (str(parts.hostname), int(parts.port or 6379))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._alive: list[socket.socket] = []
        self._forgotten: list[socket.socket] = []
        port = self._listening.getsockname()[1]
        self.url = parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{port}")).geturl()
        Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        self._forgotten += self._alive

    def close(self) -> None:
        for each in (self._listening, *self._alive):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listening.accept()
                theirs = socket.create_connection(self._redis)
                self._alive += [ours, theirs]
                for source, target in ((ours, theirs), (theirs, ours)):
                    Thread(target=self._hand_on, args=(source, target), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if source not in self._forgotten:
                    target.sendall(data)
            if source not in self._forgotten:
                target.shutdown(socket.SHUT_WR)


@pytest.fixture
def middlebox() -> Iterator[Middlebox]:
    found = Middlebox(settings.REDIS_URL)
    yield found
    found.close()


def test_jobs_go_on_over_connections_made_anew(spine: Spine, middlebox: Middlebox, tmp_path: Path) -> None:
    told = {"REDIS_URL": middlebox.url, "REDIS_SILENT_SECONDS": "2", "SILENCE_JUDGED_EVERY": "1"}
    spine.worker("outbox", None, **told)
    beat = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "backoffice", "beat", "--schedule", str(tmp_path / "schedule")],
        env=spine.environ | told,
    )
    try:
        until(lambda: spine.value(JOB), "the job is done")
        middlebox.forget()
        # What was on its way then is done before that.
        later = spine.value("SELECT now() + interval '3 seconds'")

        until(lambda: spine.value(JOB) > later, "the job is done again")
    finally:
        beat.terminate()
        beat.wait(20)
