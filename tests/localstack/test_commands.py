"""`exec`, `status` and `reset`: what they start, whom they refuse, what they leave behind."""

import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backoffice.localstack import memory
from backoffice.localstack import stack as stacks
from backoffice.localstack.__main__ import main
from backoffice.localstack.layout import PROJECT, Layout
from tests.localstack.conftest import Started, of, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("localstack")]

Start = Callable[..., Started]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder whose path has a space, and is too long for a socket's."""
    return tmp_path / ("deep " * 20).strip() / "da ta"


def test_exec_hands_on_addresses_and_exit_code(start: Start, data: Path) -> None:
    show = "import json, os, sys; print(json.dumps(dict(os.environ))); sys.exit(7)"

    command = start("exec", "--data", str(data), "--", sys.executable, "-c", show)

    assert command.ends() == 7
    environ = json.loads(command.said)
    assert environ["DATABASE_URL"].startswith("postgresql://pitboss@127.0.0.1:")
    assert environ["KAFKA_BOOTSTRAP_SERVERS"] == os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    assert not (data / "kafka").exists()
    assert of(str(data)) == []


def test_a_second_start_says_who_runs_and_harms_nobody(start: Start, data: Path) -> None:
    first = start("exec", "--data", str(data), "--", "sh", "-c", "echo started; sleep 60")
    first.says("started")
    running = of(str(data))

    second = start("exec", "--data", str(data), "--", "true")

    assert second.ends() == 1
    assert second.said == f"Pitboss already runs here: {data} (pid {first.process.pid}). Stop it with Ctrl-C there.\n"
    assert of(str(data)) == running
    first.process.terminate()
    assert first.ends() == 128 + signal.SIGTERM
    assert of(str(data)) == []


def test_what_a_killed_predecessor_left_does_not_hinder_the_next(start: Start, data: Path) -> None:
    first = start("exec", "--data", str(data), "--", "sh", "-c", "echo started; sleep 60")
    first.says("started")

    first.process.kill()
    first.ends()
    second = start("exec", "--data", str(data), "--", "sh", "-c", "echo again")

    second.says("again")
    assert second.ends() == 0
    wait_until(lambda: of(str(data)) == [])


@pytest.mark.skipif(not memory.is_in_memory(memory.MEMORY), reason="this machine has no folder in memory")
def test_what_is_held_in_memory_is_gone_in_the_end_and_after_a_reset(start: Start, data: Path) -> None:
    held = memory.place(Layout(data), "servers")
    words = ["exec", "--data", str(data), "--memory", "--"]
    first = start(*words, "sh", "-c", "echo started; sleep 60")
    first.says("started")

    assert (held / "postgres" / "cluster").is_dir()
    assert (data / "log" / "postgres.log").stat().st_size
    first.process.terminate()
    first.ends()
    assert not held.exists()
    assert not (data / "postgres").exists()

    killed = start(*words, "sh", "-c", "echo started; sleep 60")
    killed.says("started")
    killed.process.kill()
    killed.ends()
    assert held.exists()
    assert main(["reset", "--data", str(data)]) == 0
    assert not held.exists()


def test_a_pid_file_that_names_a_stranger_costs_the_stranger_nothing(start: Start, data: Path) -> None:
    assert start("exec", "--data", str(data), "--", "true").ends() == 0
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (data / "postgres" / "cluster" / "postmaster.pid").write_text(f"{stranger.pid}\n")

        assert start("exec", "--data", str(data), "--", "true").ends() == 0

        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test here runs as an ordinary user already")
def test_an_ordinary_user_needs_nothing_more(start: Start, tmp_path: Path) -> None:
    home, user = tmp_path / "home", pwd.getpwnam("daemon")
    home.mkdir()
    os.chown(home, user.pw_uid, user.pw_gid)
    # The capability only lets this user reach an interpreter and a temporary folder that may lie in root's home.
    words = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    words += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    words += [sys.executable, "-m", "backoffice.localstack", "exec", "--data", str(home / "data"), "--", "id", "-u"]

    done = subprocess.run(
        words, cwd=PROJECT, env=os.environ | {"HOME": str(home)}, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, f"{user.pw_uid}\n"), done.stderr
    assert (home / "data" / "postgres" / "cluster").stat().st_uid == user.pw_uid


@pytest.mark.parametrize(
    ("words", "free", "says"),
    [
        (["exec", "--"], 0, "exec needs a command"),
        (["exec", "--", "no-such-program"], 0, "no-such-program is no command here"),
        (["exec", "--", "true"], 1 << 60, "make room for at least"),
    ],
)
def test_what_a_person_can_mend_is_said_in_one_line(
    alone: dict[str, str],
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    free: int,
    says: str,
) -> None:
    monkeypatch.setattr(stacks, "LEAST_FREE", free)

    assert main([words[0], "--data", str(data), *words[1:]]) == 1

    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_reset_empties_the_folder_but_not_while_something_runs_in_it(
    start: Start, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = start("exec", "--data", str(data / "test"), "--", "sh", "-c", "echo started; sleep 60")
    inner.says("started")

    assert main(["reset", "--data", str(data)]) == 1
    assert f"Pitboss runs here: {data / 'test'} (pid {inner.process.pid})" in capsys.readouterr().err
    assert main(["status", "--data", str(data / "test")]) == 0
    assert "postgres" in capsys.readouterr().out
    inner.process.terminate()
    inner.ends()

    assert main(["reset", "--data", str(data)]) == 0
    assert list(data.iterdir()) == []
    assert main(["status", "--data", str(data)]) == 1
