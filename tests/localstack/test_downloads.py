"""Only files with the sum of the lock are used; how they are fetched is left out here."""

import hashlib
import tarfile
from pathlib import Path

import pytest

from backoffice.localstack import downloads
from backoffice.localstack.downloads import Artifact, fetch, unpacked
from backoffice.localstack.errors import StackError

GOOD = b"the right jar"


class Source:
    """A repository that serves one content for everything, and counts."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.served = 0

    def __call__(self, artifact: Artifact, repository: Path) -> None:
        self.served += 1
        path = artifact.within(repository)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "server.lock"
    path.write_text(f"org.example:server:1.0 {hashlib.sha256(GOOD).hexdigest()}\n")
    return path


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "maven" / "org" / "example" / "server" / "1.0" / "server-1.0.jar"


def test_a_file_with_another_sum_is_deleted_and_nothing_is_used(tmp_path: Path, lock: Path, jar: Path) -> None:
    with pytest.raises(StackError, match=r"server-1\.0\.jar is not the file that server\.lock names .* try again\.$"):
        fetch(lock, tmp_path / "cache", Source(b"another jar"))

    assert not jar.exists()
    assert fetch(lock, tmp_path / "cache", Source(GOOD)) == [jar]


def test_a_warm_cache_downloads_nothing(tmp_path: Path, lock: Path, jar: Path) -> None:
    source = Source(GOOD)

    for _ in range(2):
        assert fetch(lock, tmp_path / "cache", source) == [jar]

    assert source.served == 1


@pytest.mark.parametrize("content", [GOOD[:5], b"THE RIGHT JAR"], ids=["cut short", "changed"])
def test_a_file_that_changed_in_the_cache_is_fetched_again(
    tmp_path: Path, lock: Path, jar: Path, content: bytes
) -> None:
    fetch(lock, tmp_path / "cache", Source(GOOD))
    jar.write_bytes(content)

    fetch(lock, tmp_path / "cache", Source(GOOD))

    assert jar.read_bytes() == GOOD


def test_a_changed_lock_is_not_satisfied_by_the_old_file(tmp_path: Path, lock: Path) -> None:
    fetch(lock, tmp_path / "cache", Source(GOOD))
    lock.write_text(f"org.example:server:1.0 {hashlib.sha256(b'newer').hexdigest()}\n")

    with pytest.raises(StackError, match="SHA-256 differs"):
        fetch(lock, tmp_path / "cache", Source(GOOD))


def test_an_archive_is_unpacked_once_and_only_when_its_sum_is_right(tmp_path: Path) -> None:
    (tmp_path / "inner.txt").write_text("inside")
    with tarfile.open(tmp_path / "made.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "inner.txt", "inner.txt")
    content = (tmp_path / "made.tar.gz").read_bytes()
    lock = tmp_path / "server.lock"
    lock.write_text(f"org.example:server:1.0:all:tar.gz {hashlib.sha256(content).hexdigest()}\n")

    with pytest.raises(StackError, match="SHA-256 differs"):
        unpacked(lock, tmp_path / "cache", Source(content + b"\0"))

    folder = unpacked(lock, tmp_path / "cache", Source(content))
    assert (folder / "inner.txt").read_text() == "inside"
    assert unpacked(lock, tmp_path / "cache", Source(b"not asked")) == folder


def test_the_projects_own_locks_name_every_file_with_a_sum() -> None:
    kafka, registry = downloads.locked(downloads.KAFKA_LOCK), downloads.locked(downloads.REGISTRY_LOCK)

    assert [artifact.filename for artifact in registry] == ["apicurio-registry-app-3.3.3-all.tar.gz"]
    assert "kafka_2.13-4.4.0.jar" in [artifact.filename for artifact in kafka]
    assert all(len(bytes.fromhex(artifact.sha256)) == 32 for artifact in kafka + registry)
