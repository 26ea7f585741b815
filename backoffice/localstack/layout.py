"""Where things lie: the project, a stack's data folder, the cache of downloads."""

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DEFAULT_DATA = PROJECT / ".local"
TEST_DATA = DEFAULT_DATA / "test"


@dataclass(frozen=True)
class Layout:
    """The folders of one stack; what its servers hold is in ``held``, where that is not in the data folder too."""

    data: Path
    held: Path | None = None

    @property
    def run(self) -> Path:
        """What is only true while the stack runs: lock, ports, records of child processes."""
        return self.data / "run"

    @property
    def servers(self) -> Path:
        """Records of the servers' processes."""
        return self.run / "servers"

    @property
    def apps(self) -> Path:
        """Records of Pitboss' own processes and their keepers."""
        return self.run / "apps"

    def of(self, part: str) -> Path:
        return (self.held or self.data) / part

    def log(self, part: str) -> Path:
        return self.data / "log" / f"{part}.log"

    def make(self) -> None:
        for folder in (self.servers, self.apps, self.data / "log"):
            folder.mkdir(parents=True, exist_ok=True)


def cache_folder() -> Path:
    """Downloads are shared by every clone of this user, so that only the first start of all pays for them."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "pitboss"
