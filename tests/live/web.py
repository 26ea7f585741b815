"""The web process of `make run` for tests, and people who open its live socket."""

import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from websockets.sync.client import ClientConnection, connect

from backoffice.access.roles import make_groups
from backoffice.localstack import apps, ports
from backoffice.localstack.layout import PROJECT, Layout
from tests.live.client import Client, Gap
from tests.spine import until

PATIENCE_SECONDS = 40.0


class Web:
    """The process can be killed and started again, at the same address; what it says is in ``log``."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self.port = ports.first_free(18_000 + os.getpid() % 2_000)
        self.address = f"http://{ports.LOOPBACK}:{self.port}"
        self.log = folder / "web.log"
        self._command = apps.command("web", Layout(folder), self.port)
        self._environ = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=PROJECT, env=self._environ, stdout=log, stderr=log, start_new_session=True
            )
        until(self._answers, "the web process answers", PATIENCE_SECONDS)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its connections stay open meanwhile, and nothing comes over them."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def memory(self) -> int:
        """Resident bytes."""
        assert self._process is not None
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def threads(self) -> int:
        assert self._process is not None
        return len(os.listdir(f"/proc/{self._process.pid}/task"))

    def descriptors(self) -> int:
        assert self._process is not None
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def get(self, path: str, timeout: float = 10.0) -> str:
        with _DIRECT.open(f"{self.address}{path}", timeout=timeout) as response:
            return str(response.read().decode())

    def socket(self, person: "Person | None", origin: str | None = "", **options: Any) -> ClientConnection:
        """Raises InvalidStatus where the handshake is refused."""
        headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={person.session}"} if person else {}
        return connect(
            f"ws://{ports.LOOPBACK}:{self.port}/live",
            origin=(self.address if origin == "" else origin),  # type: ignore[arg-type]
            additional_headers=headers,
            compression=None,
            max_size=None,
            proxy=None,
            **options,
        )

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            return "alive" in self.get("/health/live")
        except (urllib.error.URLError, OSError):
            return False


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Person:
    """Somebody with a role (or none), signed in."""

    def __init__(self, *roles: str) -> None:
        make_groups()
        self.user = User.objects.create_user(f"person-{uuid4().hex[:8]}", password="right")
        self.user.groups.set(Group.objects.filter(name__in=roles))
        self.browser = Browser()
        self.browser.force_login(self.user)
        self.session: str = self.browser.cookies[settings.SESSION_COOKIE_NAME].value


class Watcher:
    """A client of the protocol on a socket, with all its publications."""

    def __init__(self, socket: ClientConnection, *publications: str) -> None:
        self.publications = {name: Client() for name in publications}
        self.refused: dict[str, str] = {}
        self.frames = self.diffs = 0
        self._socket = socket
        self.say(subscribe=list(publications))

    def say(self, **acts: list[str]) -> None:
        self._socket.send(orjson.dumps(acts).decode())

    def take(self, timeout: float = 10.0) -> dict[str, Any]:
        """The next frame, taken in."""
        data = self._socket.recv(timeout=timeout)
        assert isinstance(data, bytes)
        frame: dict[str, Any] = orjson.loads(data)
        self.frames += 1
        self.diffs += frame["type"] == "diff"
        if frame["type"] == "refused":
            self.refused[frame["publication"]] = frame["why"]
            return frame
        try:
            self.publications[frame["publication"]].take(data)
        except Gap:
            self.say(resync=[frame["publication"]])
        return frame

    def rows(self, publication: str) -> dict[str, dict[str, Any]]:
        return self.publications[publication].rows

    def until(self, condition: Any, what: str) -> None:
        def met() -> bool:
            if not condition():
                self.take()
            return bool(condition())

        until(met, what)
