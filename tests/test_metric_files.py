"""A disk without room ends no process that counts: it goes on alone, and says so."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.test import override_settings
from prometheus_client.parser import text_string_to_metric_families

from backoffice.ended_metrics import forget_ended
from backoffice.kernel.asking import Question
from backoffice.metrics.asking import heard_here
from backoffice.metrics.exporting import _numbers_of, _own_numbers
from backoffice.metrics.hidden import look_here

Done = subprocess.CompletedProcess[str]
MANY = 300
# Counts more than one file holds at first, and says what it is told itself.
COUNTING = """
import logging, os, resource, sys
from backoffice import metric_files
from backoffice.ended_metrics import forget_ended, looking_at

logging.basicConfig(format="%(message)s")
if room := os.environ.get("ROOM"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(room), int(room)))
if os.environ.get("RESERVE") != "no":
    metric_files.reserve()
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

counter, gauge = Counter("counted", "x" * 500, ("number",)), Gauge("lives", "", multiprocess_mode="livemax")
for number in range(300):
    counter.labels(number).inc()
gauge.set(7)
counter.labels(0).inc()
registry = CollectorRegistry()
registry.register(metric_files.SharedNumbers(metric_files.Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])))
sys.stdout.write(generate_latest(registry).decode())
"""


def counting(folder: Path, *before: str, **variables: str) -> Done:
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)} | variables
    words = [*before, sys.executable, "-c", COUNTING]
    return subprocess.run(words, env=environ, capture_output=True, text=True, check=False, timeout=60)


def counted(page: str) -> dict[str, float]:
    """By number; and what lives."""
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return {sample.labels.get("number", sample.name): sample.value for sample in samples}


ALL = {str(number): 1.0 for number in range(MANY)} | {"0": 2.0, "lives": 7.0}


@pytest.mark.parametrize("room", [1 << 20, 1 << 16, 0])
def test_what_cannot_be_reserved_is_counted_alone_and_said_once(tmp_path: Path, room: int) -> None:
    done = counting(tmp_path, ROOM=str(room))

    assert (done.returncode, counted(done.stdout)) == (0, ALL), done.stderr
    said = f"metrics are of this process only: {tmp_path}: File too large; give that folder room"
    assert done.stderr.count(said) == done.stderr.count("\n") == (room < 1 << 20)
    # What others would still read there would be true no more.
    assert len(list(tmp_path.glob("counter*.db"))) == (room == 1 << 20)


def on_a_small_disk(folder: Path, size: str, full: bool) -> list[str]:
    """Words that begin a command on a disk of its own."""
    fill = f"dd if=/dev/zero of={folder}/full bs=4k 2>/dev/null;" if full else ""
    script = f'mount -t tmpfs -o size={size} tmpfs {folder} && {{ {fill} exec "$@"; }}'
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    if not shutil.which("unshare") or subprocess.run([*words, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let its users mount a disk of their own")
    return words


@pytest.mark.parametrize(("size", "full"), [("256k", True), ("68k", False), ("140k", False)])
def test_a_disk_that_is_full_ends_no_process(tmp_path: Path, size: str, full: bool) -> None:
    disk = on_a_small_disk(tmp_path, size, full)
    # This is what such a disk does to a process whose files have no blocks.
    assert counting(tmp_path, *disk, RESERVE="no").returncode == -signal.SIGBUS

    done = counting(tmp_path, *disk)

    assert (done.returncode, counted(done.stdout)) == (0, ALL), done.stderr
    assert done.stderr.count("No space left on device") == done.stderr.count("\n") == 1


# What follows the number of bytes in use, or what that says, is not what was written: read, each is another error.
TORN = {
    "torn": b"\xff\xff\0\0rubbish",
    "torn in a number": (1_000_000).to_bytes(4, "little") + bytes(4) + b"\x08\0\0\0" + b"12345678",
    "torn in a name": (48).to_bytes(8, "little") + b"\x08\0\0\0" + b"\xff" * 8 + bytes(28),
    "torn to an entry for ever": (48).to_bytes(8, "little") + b"\xe4\xff\xff\xff" + bytes(36),
    "torn in a length": (48).to_bytes(8, "little") + b"\xf0\xff\xff\xff" + bytes(36),
}


@pytest.mark.parametrize("harm", ["missing", "no folder", "read-only", *TORN])
def test_a_folder_that_cannot_be_used_ends_no_process(tmp_path: Path, harm: str) -> None:
    folder, disk = tmp_path / "shared", []
    if harm == "no folder":
        folder.touch()
    elif harm == "read-only":
        disk = on_a_small_disk(tmp_path, "1m", full=False)
        disk[5] = disk[5].replace("exec", f"mkdir {folder}; mount -o remount,ro {tmp_path}; exec")
    elif harm in TORN:
        folder.mkdir()
        (tmp_path / "torn").write_bytes(TORN[harm])
        disk = ["sh", "-c", f'cp {tmp_path}/torn {folder}/counter_$$.db; exec "$@"', "sh"]

    done = counting(folder, *disk)

    assert (done.returncode, counted(done.stdout)) == (0, ALL), done.stderr
    assert done.stderr.startswith(f"metrics are of this process only: {folder}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("torn", [*TORN.values(), (36).to_bytes(8, "little") + b"\x08\0\0\0" + b"12345678" + bytes(20)])
def test_a_torn_file_of_another_process_is_named_and_no_error_of_who_asks(
    tmp_path: Path, torn: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "counter_1.db").write_bytes(torn)

    with override_settings(METRICS_FOLDER=tmp_path):
        numbers = _numbers_of(heard_here({"numbers": Question("numbers", _own_numbers)}))

    assert numbers is None
    assert f"cannot be read out of {tmp_path}; remove what is torn there" in caplog.text


def test_what_others_count_is_told_beside_files_that_come_and_go(tmp_path: Path) -> None:
    assert counting(tmp_path).returncode == 0
    (tmp_path / "counter_1.db").touch()
    (tmp_path / "histogram_1.db").symlink_to("taken away meanwhile")

    page = counting(tmp_path, ROOM="0").stdout

    assert counted(page) == {number: 2 * value for number, value in ALL.items()} | {"lives": 7.0}


def in_a_container() -> list[str]:
    """Words that begin a command whose process has the number 1, as in every container."""
    words = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if not shutil.which("unshare") or subprocess.run([*words, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let its users number processes anew")
    return words


def test_two_containers_with_one_folder_spoil_nothing_of_each_other(tmp_path: Path) -> None:
    """Their processes have the same numbers; each is told of as long as it lives."""
    container, lives = in_a_container(), tmp_path / "gauge_livemax_1.db"
    waits = COUNTING + "\nsys.stdout.flush(); sys.stdin.read()"
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    with subprocess.Popen(
        [*container, sys.executable, "-c", waits], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert any(b"lives 7.0" in line for line in first.stdout)
        forget_ended(tmp_path)
        assert lives.exists()

        second = counting(tmp_path, *container)

        assert counted(second.stdout) == {number: 2 * value for number, value in ALL.items()} | {"lives": 7.0}
        assert "another process of this number writes there, of a container that has it too; give" in second.stderr
        assert lives.exists()
        first.communicate(b"")
    forget_ended(tmp_path)
    assert not lives.exists()


def test_where_there_is_no_room_is_said_before_and_in_health(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        with override_settings(METRICS_FOLDER=folder):
            assert (warned(), look_here()) == ([], "")

    with override_settings(METRICS_FOLDER=tmp_path / "missing"):
        here = look_here()
        assert warned() == [f"M{here[1:]}."]
    told = f"metrics of a process that starts now are of itself only: {tmp_path}/missing: No such file or directory;"
    assert here.startswith(told)


def warned() -> list[str]:
    return [message.msg for message in run_checks(tags=["metrics"], include_deployment_checks=True)]
