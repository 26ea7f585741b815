"""The servers' jars: fetched once, believed only when their SHA-256 is the one that the lock files name."""

import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import StackError

HERE = Path(__file__).parent
KAFKA_LOCK = HERE / "kafka.lock"
REGISTRY_LOCK = HERE / "registry.lock"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Artifact:
    """One line of a lock file: ``group:name:version[:classifier:packaging] sha256``."""

    group: str
    name: str
    version: str
    classifier: str
    packaging: str
    sha256: str

    @property
    def filename(self) -> str:
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.name}-{self.version}{classifier}.{self.packaging}"

    def within(self, repository: Path) -> Path:
        return repository.joinpath(*self.group.split("."), self.name, self.version, self.filename)


Download = Callable[[Artifact, Path], None]
"""Puts an artifact to its place in a local repository."""


def locked(lock: Path) -> list[Artifact]:
    """What a lock file asks for, in its order."""
    artifacts = []
    for line in lock.read_text().splitlines():
        coordinate, sha256 = line.split()
        group, name, version, *rest = coordinate.split(":")
        classifier, packaging = rest or ("", "jar")
        artifacts.append(Artifact(group, name, version, classifier, packaging, sha256))
    return artifacts


def fetch(lock: Path, cache: Path, download: Download | None = None) -> list[Path]:
    """The verified files of a lock file; those not in the cache yet are downloaded below ``cache / "maven"``.

    Raises:
        StackError: no network, a wrong sum, or a cache that cannot be written.
    """
    artifacts = locked(lock)
    with _exclusive(cache):
        known = _Verified(cache / "verified.json")
        missing = [artifact for artifact in artifacts if not known.holds(artifact, artifact.within(cache / "maven"))]
        if missing:
            log.info("Downloading %d file(s) for the %s part into %s (once).", len(missing), lock.stem, cache)
            for artifact in missing:
                _obtain(artifact, cache / "maven", lock, download or from_maven)
                known.add(artifact, artifact.within(cache / "maven"))
            known.save()
    return [artifact.within(cache / "maven") for artifact in artifacts]


def unpacked(lock: Path, cache: Path, download: Download | None = None) -> Path:
    """The folder into which the one archive of a lock file was unpacked after its sum was checked."""
    [archive] = fetch(lock, cache, download)
    [artifact] = locked(lock)
    folder = cache / f"{artifact.name}-{artifact.version}-{artifact.sha256[:12]}"
    with _exclusive(cache):
        if not folder.exists():
            draft = folder.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)
            with tarfile.open(archive) as tar:
                # Python 3.11.0 to 3.11.3 know no filters; the sum vouches for the archive there.
                tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
                tar.extractall(draft)  # noqa: S202 - from a checked archive
            draft.rename(folder)
    return folder


class _Verified:
    """Which files were found right, by size and time of change, so that a warm start hashes nothing."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            self.marks: dict[str, list[int | str]] = json.loads(file.read_text())
        except (OSError, ValueError):
            self.marks = {}

    def holds(self, artifact: Artifact, path: Path) -> bool:
        return path.is_file() and self.marks.get(artifact.filename) == _mark(artifact, path)

    def add(self, artifact: Artifact, path: Path) -> None:
        self.marks[artifact.filename] = _mark(artifact, path)

    def save(self) -> None:
        draft = self.file.with_suffix(".draft")
        draft.write_text(json.dumps(self.marks, indent=1))
        draft.replace(self.file)


def _mark(artifact: Artifact, path: Path) -> list[int | str]:
    found = path.stat()
    return [artifact.sha256, found.st_size, found.st_mtime_ns]


def from_maven(artifact: Artifact, repository: Path) -> None:
    """Download one artifact to its place in a local repository.

    Raises:
        StackError: it cannot be had now.
    """
    import truststore
    from jgo.maven import MavenContext

    # The machine's own authorities besides those that the library brings along: a network may have one of its own.
    truststore.inject_into_ssl()
    logging.getLogger("jgo").setLevel(logging.CRITICAL)
    project = MavenContext(repo_cache=repository, timeout=60).project(artifact.group, artifact.name)
    try:
        project.at_version(artifact.version).artifact(artifact.classifier, artifact.packaging).resolve()
    except (OSError, RuntimeError) as reason:  # What requests raises is an OSError.
        if isinstance(reason, OSError) and reason.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS):
            raise  # Not the network's fault.
        raise StackError(
            f"{artifact.filename} could not be downloaded ({type(reason).__name__}); connect this machine, or set "
            "HTTPS_PROXY as your network asks, and try again."
        ) from reason


def _obtain(artifact: Artifact, repository: Path, lock: Path, download: Download) -> None:
    path = artifact.within(repository)
    if path.is_file() and _sha256(path) != artifact.sha256:
        path.unlink()  # What an interrupted download left; the next line fetches it whole.
    if not path.is_file():
        download(artifact, repository)
    if _sha256(path) != artifact.sha256:
        path.unlink()
        raise StackError(
            f"{artifact.filename} is not the file that {lock.name} names (SHA-256 differs), so it was deleted and "
            "nothing started; look at the proxy between here and the repository, then try again."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _exclusive(cache: Path) -> Iterator[None]:
    """Two stacks may start at once; one of them downloads."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        handle = os.open(cache / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as reason:
        raise StackError(
            f"{cache} cannot be written ({reason.strerror}); set XDG_CACHE_HOME to a folder that can."
        ) from reason
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
