"""Servers whose files, disk or port were harmed: each says what happened, what may be deleted and what that loses."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from backoffice.localstack import stack as stacks
from backoffice.localstack.__main__ import main
from backoffice.localstack.errors import StackError
from backoffice.localstack.layout import Layout
from backoffice.localstack.stack import Stack, running_stack
from tests.localstack.conftest import ADDRESSES, of, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("localstack")]

Act = Callable[[Path], object]
VARIABLES = dict(zip(("postgres", "redis", "kafka", "registry"), ADDRESSES, strict=True))


def only(part: str) -> dict[str, str]:
    """An environment in which only this server is started."""
    return {variable: "http://127.0.0.1:1" for name, variable in VARIABLES.items() if name != part}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a stack that held something and ended in order."""
    folder = tmp_path_factory.mktemp("whole") / "data"
    with running_stack(folder, outside={"SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}) as stack:
        with redis.Redis.from_url(stack.environ()["REDIS_URL"]) as client:
            for number in range(100):
                client.set(f"key-{number}", "value")
        kafka = {"bootstrap.servers": stack.environ()["KAFKA_BOOTSTRAP_SERVERS"]}
        admin = AdminClient({**kafka})
        admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(20)
        _produce(kafka, 100)
    return folder


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be harmed."""
    subprocess.run(["cp", "-a", str(whole), str(tmp_path / "data")], check=True)
    return tmp_path / "data"


@pytest.fixture
def small_disk(whole: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy on a disk of its own that has some megabytes left."""
    disk = tmp_path / "disk"
    disk.mkdir()
    needed = int(subprocess.run(["du", "-sk", whole], check=True, capture_output=True, text=True).stdout.split()[0])
    mount = ["mount", "-t", "tmpfs", "-o", f"size={needed + 8_000}k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk can only be made by root")
    try:
        subprocess.run(["cp", "-a", f"{whole}/.", str(disk)], check=True)
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _produce(kafka: dict[str, str], count: int) -> int:
    """How many of so many messages were acknowledged."""
    acknowledged: list[int] = []

    def delivered(error: object, _: object) -> None:
        if error is None:
            acknowledged.append(1)

    producer = Producer({**kafka, "log_level": 0, "delivery.timeout.ms": 20_000})
    for _ in range(count):
        producer.produce("kept", b"x" * 1_000, on_delivery=delivered)
    producer.flush(30)
    return len(acknowledged)


def _found(data: Path, pattern: str) -> Path:
    [path] = data.glob(pattern)
    return path


def _write(pattern: str, content: bytes) -> Act:
    return lambda data: _found(data, pattern).write_bytes(content)


def _spoil(pattern: str, at: int, content: bytes) -> Act:
    """Overwrite some bytes in the middle."""

    def spoil(data: Path) -> None:
        path = _found(data, pattern)
        before = path.read_bytes()
        path.write_bytes(before[:at] + content + before[at + len(content) :])

    return spoil


def _cut(pattern: str, length: int) -> Act:
    return lambda data: os.truncate(_found(data, pattern), length)


CLUSTER, LOGS, AOF = "postgres/cluster", "kafka/logs", "redis/appendonlydir"
GIVEN_UP = "all events, tables and users in it are lost then, and the next start begins anew."
HARMS: dict[str, tuple[str, Act, str, str]] = {
    "control file cut": (
        "postgres", _cut(f"{CLUSTER}/global/pg_control", 100), "its file global/pg_control is torn", GIVEN_UP,
    ),
    "control file wrong": (
        "postgres", _spoil(f"{CLUSTER}/global/pg_control", 40, b"\xff" * 20), "global/pg_control is torn", GIVEN_UP,
    ),
    "old folder": (
        "postgres", _write(f"{CLUSTER}/PG_VERSION", b"17\n"), "was made by PostgreSQL 17, and this is 18", GIVEN_UP,
    ),
    "catalogue": (
        "postgres", _spoil(f"{CLUSTER}/global/1262", 0, b"\xff" * 8192), "its file global/1262 is torn", GIVEN_UP,
    ),
    "log of changes": (
        "postgres", _spoil(f"{CLUSTER}/pg_wal/0*1", 0, b"\0" * (16 << 20)), "(pg_wal) is torn", GIVEN_UP,
    ),
    "meta.properties": (
        "kafka", _write(f"{LOGS}/meta.properties", b"clus"), "logs/meta.properties is torn", GIVEN_UP,
    ),
    "newer Kafka": (
        "kafka", _write(f"{LOGS}/meta.properties", b"version=9\n"), "written by another version", GIVEN_UP,
    ),
    "quorum": (
        "kafka", _write(f"{LOGS}/__cluster_metadata-0/quorum-state", b'{"to'), "quorum-state is torn", GIVEN_UP,
    ),
    "list of topics": (
        "kafka", _spoil(f"{LOGS}/__cluster_metadata-0/*.log", 200, b"\0" * 100), "went on without topics", GIVEN_UP,
    ),
    "manifest": ("redis", _write(f"{AOF}/*.manifest", b"torn"), "(appendonlydir/*.manifest) is torn", "what waited in"),
    "base file": ("redis", _cut(f"{AOF}/*.base.rdb", 20), "its file of all keys is torn", "what waited in queues"),
    "append-only file": ("redis", _spoil(f"{AOF}/*.incr.aof", 0, b"????"), "incr.aof is torn", "what waited in queues"),
    "newer Valkey": ("redis", _spoil(f"{AOF}/*.base.rdb", 0, b"VALKEY999"), "a newer version", "what waited in queues"),
    "missing file": ("redis", lambda data: _found(data, f"{AOF}/*.base.rdb").unlink(), "is missing", "what waited in"),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMS)
def test_a_harmed_server_says_what_happened_what_may_be_deleted_and_what_that_loses(
    data: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    part, harm, happened, lost = HARMS[name]
    for variable in ADDRESSES:
        monkeypatch.delenv(variable, raising=False)
    for variable, address in only(part).items():
        monkeypatch.setenv(variable, address)
    harm(data)

    for _ in range(2):  # It is no better the second time, and harms nothing more.
        assert main(["exec", "--data", str(data), "--", "true"]) == 1

        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert "cannot run: " in said
        assert happened in said
        assert lost in said
        assert str(data) in said
    assert of(str(data)) == []


MENDS: dict[str, tuple[str, Act, str, Act]] = {
    "configuration": (
        "postgres", _write(f"{CLUSTER}/postgresql.conf", b"=torn"), "Empty that file; nothing is lost.",
        _write(f"{CLUSTER}/postgresql.conf", b""),
    ),
    "access": (
        "postgres", _write(f"{CLUSTER}/pg_hba.conf", b"torn"), "host all all 127.0.0.1/32 trust",
        _write(f"{CLUSTER}/pg_hba.conf", b"host all all 127.0.0.1/32 trust\n"),
    ),
    "checkpoint": (
        "kafka", _write(f"{LOGS}/recovery-point-offset-checkpoint", b"gar bage"), "Delete that file; nothing is lost.",
        lambda data: (data / LOGS / "recovery-point-offset-checkpoint").unlink(),
    ),
    "keys": (
        "redis", _write(f"{AOF}/*.manifest", b"torn"), "/redis: what waited in queues is lost",
        lambda data: shutil.rmtree(data / "redis"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MENDS)
def test_what_the_sentence_says_mends_it(data: Path, name: str) -> None:
    part, harm, says, mend = MENDS[name]
    harm(data)
    with pytest.raises(StackError, match="cannot run") as refusal, running_stack(data, outside=only(part)):
        pass
    assert says in str(refusal.value)

    mend(data)

    with running_stack(data, outside=only(part)) as stack:
        assert stack.part(part).running
        if part == "kafka":
            kafka = {"bootstrap.servers": stack.environ()["KAFKA_BOOTSTRAP_SERVERS"]}
            assert "kept" in AdminClient({**kafka}).list_topics(timeout=20).topics


def test_messages_that_kafka_cut_away_are_told(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    _spoil(f"{LOGS}/kept-0/*.log", 20, b"\xff" * 40)(data)
    (data / LOGS / ".kafka_cleanshutdown").unlink()

    with running_stack(data, outside=only("kafka")):
        pass

    assert "Kafka found kept-0 torn and cut it at offset 0: what stood behind is lost" in caplog.text


@pytest.mark.parametrize("part", VARIABLES)
def test_a_port_that_another_program_took_is_named_with_it(tmp_path: Path, part: str) -> None:
    layout = Layout(tmp_path)
    layout.make()
    own = Stack(layout, {})
    own.parts[part].server.folder.mkdir(parents=True, exist_ok=True)
    for port in own.parts[part].server.listens:
        with (
            socket.create_server(("127.0.0.1", own.parts[part].server.ports[port])),
            pytest.raises(StackError, match=rf"cannot run: port .* is taken by .*pid {os.getpid()}.*another port"),
        ):
            own.parts[part].start()
    assert of(str(tmp_path)) == []


def test_a_full_disk_is_said_before_anything_starts(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exec", "--data", str(small_disk), "--", "true"]) == 1

    assert "MB are free" in (said := capsys.readouterr().err)
    assert "nothing of it has to be deleted" in said


def test_a_disk_that_is_full_when_postgres_starts_is_said(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "LEAST_FREE", 0)
    _fill(small_disk, leaving=120_000)

    with (
        pytest.raises(StackError, match=r"PostgreSQL cannot run: the disk of .* is full.*delete nothing"),
        running_stack(small_disk, outside=only("postgres")),
    ):
        pass


def test_a_disk_that_fills_while_kafka_runs_is_said_and_nothing_acknowledged_is_lost(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stacks, "LEAST_FREE", 0)
    with running_stack(small_disk, outside=only("kafka")) as stack:
        kafka = {"bootstrap.servers": stack.environ()["KAFKA_BOOTSTRAP_SERVERS"]}
        _fill(small_disk, leaving=1 << 20)
        acknowledged = _produce(kafka, 5_000)
        wait_until(lambda: "Kafka cannot run: the disk of" in caplog.text, 60)

        (small_disk / "fill").unlink()
        wait_until(lambda: _holds(kafka) >= 100 + acknowledged, 60)
        assert acknowledged < 5_000


def _fill(disk: Path, leaving: int) -> None:
    with (disk / "fill").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    os.truncate(disk / "fill", (disk / "fill").stat().st_size - leaving)


def _holds(kafka: dict[str, str]) -> int:
    consumer = Consumer({**kafka, "group.id": "count", "log_level": 0})
    try:
        with suppress(Exception):
            return int(consumer.get_watermark_offsets(TopicPartition("kept", 0), timeout=5)[1])
        return 0
    finally:
        consumer.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_another_user_is_named_with_the_user(whole: Path, tmp_path: Path) -> None:
    folder = Path("/tmp") / f"pitboss-{os.getpid()}"
    (folder / "kafka").mkdir(parents=True)
    try:
        words = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups"]
        words += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
        words += [".venv/bin/python", "-m", "backoffice.localstack", "exec", "--data", str(folder), "--", "true"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(folder)

    assert done.returncode == 1
    assert f"{folder} belongs to root. Start it as root, as before, or take it over: sudo chown -R" in done.stderr
    assert "Nothing has to be deleted." in done.stderr
