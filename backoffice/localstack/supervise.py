"""Keeps one server running: starts it, watches it, starts it again when it dies by itself."""

import logging
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from . import diagnosis, environment, ports, processes
from .children import Children
from .errors import StackError
from .parts.base import Server

BACK_OFF = (0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_SECONDS = 30.0
PORT_SECONDS = 2.0
LAST_WORDS = 64 << 10

log = logging.getLogger(__name__)

# The kernel sends a child its "your parent died" signal when the *thread* that started it ends. This one lives as long
# as the process does.
_spawner = ThreadPoolExecutor(1, thread_name_prefix="spawner")


class Part:
    """One running server of a stack.

    ``kill`` and ``stop`` leave it down until ``start``; one that ends without them is started again, with back-off.
    """

    def __init__(self, server: Server, children: Children) -> None:
        self.server = server
        self.name = server.name
        self._children = children
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._unwanted = threading.Event()
        self._watcher: threading.Thread | None = None
        self._silence_until = 0

    @property
    def pid(self) -> int:
        """The server's process id.

        Raises:
            StackError: it does not run.
        """
        process = self._process
        if process is None or process.poll() is not None:
            raise StackError(f"{self.name} does not run; start it first.")
        return process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 90.0) -> None:
        """Start the server and return when it is healthy; without effect on one that runs."""
        with self._lock:
            wanted_already = self._process is not None
            if not wanted_already:
                self._unwanted = threading.Event()
                self._spawn()
        if wanted_already:
            self.wait_healthy(timeout)
            return
        try:
            self.wait_healthy(timeout, still_starting=True)
            self.server.finish()
        except BaseException as reason:
            self.kill()
            if isinstance(reason, StackError) and (why := diagnosis.explanation(self.server, self._words())):
                raise StackError(why) from reason
            raise
        self._watcher = threading.Thread(
            target=self._watch, args=(self._unwanted,), name=f"{self.name}-watch", daemon=True
        )
        self._watcher.start()

    def stop(self, grace: float = 10.0) -> None:
        """Ask the server to end, and end it if it does not within ``grace`` seconds."""
        self._end(lambda pid: processes.end(pid, self.server.stop_signal, grace))

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, as a power cut would."""
        self._end(processes.kill)

    def wait_healthy(self, timeout: float = 60.0, *, still_starting: bool = False) -> None:
        """Return once the server answers.

        Raises:
            StackError: it did not within ``timeout`` seconds, or ended while it was started for the first time.
        """
        until = time.monotonic() + timeout
        while not (self.running and self.server.healthy()):
            if still_starting and not self.running:
                raise StackError(f"{self.name} ended while starting: {self._last_words()} {self.server.giving_up()}")
            if time.monotonic() > until:
                raise StackError(f"{self.name} gave no answer for {timeout:.0f} s: {self._last_words()}")
            time.sleep(0.05)

    def _spawn(self) -> None:
        self.server.prepare()
        self._await_ports()
        log = self.server.layout.log(self.name)
        self._silence_until = log.stat().st_size if log.exists() else 0
        command = self.server.command()
        if shutil.which("setpriv"):
            death = ["--pdeathsig", self.server.stop_signal.name.removeprefix("SIG")]
            command = ["setpriv", *self.server.privileges, *death, *command]
        self._process = _spawner.submit(self._popen, command).result()
        self._children.record(self.name, self._process.pid, self.server.stop_signal)

    def _await_ports(self) -> None:
        """Whoever sits on a port would be taken for the server. One that was just killed frees its own in a moment.

        Raises:
            StackError: somebody else listens there.
        """
        for port in (self.server.ports[name] for name in self.server.listens):
            until = time.monotonic() + PORT_SECONDS
            while not ports.is_free(port):
                if time.monotonic() > until:
                    raise StackError(
                        f"{self.server.title} cannot run: port {port} of {ports.LOOPBACK} is taken by"
                        f" {ports.holder(port)}. End that, or start again: another port is chosen then."
                    )
                time.sleep(0.05)

    def _popen(self, command: list[str]) -> subprocess.Popen[bytes]:
        folder = self.server.folder
        with self.server.layout.log(self.name).open("ab") as out:
            return subprocess.Popen(
                command,
                cwd=folder,
                env=environment.for_server(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _end(self, end: Callable[[int], None]) -> None:
        with self._lock:
            self._unwanted.set()
            process, self._process = self._process, None
            watcher, self._watcher = self._watcher, None
        if process is not None:
            if process.poll() is None:
                end(process.pid)
            process.wait()
        if watcher is not None:
            watcher.join()
        self._children.forget(self.name)

    def _watch(self, unwanted: threading.Event) -> None:
        failures = 0
        while (process := self._process) is not None and not unwanted.is_set():
            began = time.monotonic()
            code = process.wait()
            failures = 0 if time.monotonic() - began > STEADY_SECONDS else failures
            delay = BACK_OFF[min(failures, len(BACK_OFF) - 1)]
            if unwanted.is_set():
                return
            log.warning("%s ended by itself (%s); starting it again in %g s.", self.name, ending(code), delay)
            if why := diagnosis.explanation(self.server, self._words()):
                log.warning("%s", why)
            if unwanted.wait(delay):
                return
            failures += 1
            self._respawn(unwanted)

    def _respawn(self, unwanted: threading.Event) -> None:
        with self._lock:
            if unwanted.is_set():
                return
            try:
                self._spawn()
            except (StackError, OSError) as reason:
                log.warning("%s cannot be started: %s", self.name, reason)

    def _words(self) -> str:
        """The end of what the server wrote since it was started."""
        path = self.server.layout.log(self.name)
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(max(self._silence_until, path.stat().st_size - LAST_WORDS))
            return file.read().decode(errors="replace")

    def _last_words(self) -> str:
        return diagnosis.last_words(self._words(), self.server.layout.log(self.name))


def ending(code: int) -> str:
    """An exit code in words."""
    return signal.Signals(-code).name if code < 0 else f"exit {code}"
