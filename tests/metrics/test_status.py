"""`manage.py status` through the door of a person and of a machine."""

import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from backoffice.localstack import ports
from backoffice.metrics.figures import FIGURES
from backoffice.simulator.generator import generate
from backoffice.streams.models import Halt
from tests.spine import PATIENCE_SECONDS, Process, Spine

HOME, HIDE, SHOW = "\x1b[H", "\x1b[?25l", "\x1b[?25h"


@pytest.fixture
def busy(spine: Spine) -> Spine:
    """Some minutes of events up to now, a dead letter, one message that waits, a halted partition."""
    start = datetime.now(UTC) - timedelta(minutes=3)
    spine.send(generate(seed=5, start=start, events=1_500, step=timedelta(milliseconds=100), players=40))
    spine.send_bytes("bet-events", [b"junk"])
    spine.drain()
    spine.send_bytes("game-rounds", [b"more junk"])
    Halt.objects.create(
        stream="wallet", topic="game-rounds", partition=1, offset=0, reason="bad", halted_at=datetime.now(UTC)
    )
    return spine


def test_the_status_tells_what_moves_and_what_waits(busy: Spine) -> None:
    told = json.loads(said("--json"))

    assert told["dead_letters"] == 1
    assert told["lag"] == {"compliance": 0, "players": 0, "trading": 0, "wallet": 1}
    assert told["halted"] == ["wallet: game-rounds[1]"]
    assert sum(told["active_players"].values()) > 0
    assert {row["vertical"] for row in told["ggr"]} >= {"slots"}
    assert "lag 1  dead letters 1" in said("--line")
    assert "! HALTED         wallet: game-rounds[1]" in said()


def test_a_machine_is_told_each_topic_and_the_age_of_each_number(busy: Spine) -> None:
    told = json.loads(said("--json"))

    topics = {topic["topic"]: topic for topic in told["topics"]}
    assert (topics["game-rounds"]["lag"], topics["game-rounds"]["halted"]) == (1, [1])
    assert (topics["bet-events"]["dead_letters"], topics["bet-events"]["lag"]) == (1, 0)
    assert 25 < topics["bet-events"]["freshness_seconds"] < 600
    ages = told["age_seconds"]
    assert set(ages) >= {"lag", "ggr", "stakes", "payments", "logins", "bets", "active_players", "sources", "halted"}
    assert ages["ggr"] == max(topics[topic]["freshness_seconds"] for topic in ("bet-events", "game-rounds"))
    assert 25 < ages["logins"] < 600
    assert 0 <= ages["lag"] < 60
    assert all(row["mean"] == round(row["amount"] / row["count"]) for row in told["stakes"] if row["count"] == 1)
    assert told["parts"] == dict.fromkeys(("postgres", "redis", "kafka", "registry"), "ok")


def test_the_topics_that_numbers_are_said_to_be_made_of_are_those_of_the_windows(busy: Spine) -> None:
    made_of: dict[str, set[str]] = {}
    for metric, topic in busy.rows("SELECT DISTINCT metric, topic FROM metrics_window"):
        made_of.setdefault(metric, set()).add(topic)
    active = {topic for (topic,) in busy.rows("SELECT DISTINCT topic FROM metrics_activity")}
    payments = made_of["deposits_completed"] | made_of["deposits_declined"]

    assert {name: set(figure.made_of) for name, figure in FIGURES.items()} == {
        "payments": payments, "active_players": active,
        **{name: made_of[name] for name in ("ggr", "stakes", "bets", "logins")},
    }  # fmt: skip


def test_what_is_away_is_said_and_the_rest_is_shown(busy: Spine) -> None:
    nowhere = f"127.0.0.1:{ports.choose()}"
    with override_settings(KAFKA=settings.KAFKA | {"bootstrap.servers": nowhere}, REDIS_URL=f"redis://{nowhere}/0"):
        shown, told = said(), json.loads(said("--json"))

    assert "! Parts" in shown
    assert told["parts"]["postgres"] == told["parts"]["registry"] == "ok"
    assert told["parts"]["kafka"].startswith("away")
    assert told["parts"]["redis"].startswith("away")
    assert told["lag"] is None
    assert (told["dead_letters"], told["halted"]) == (1, ["wallet: game-rounds[1]"])


def test_without_postgres_it_says_so_and_what_else_there_is(spine: Spine) -> None:
    nowhere = f"postgresql://127.0.0.1:{ports.choose()}/none"
    command = [sys.executable, "manage.py", "status"]

    done = subprocess.run(
        command, env=spine.environ | {"DATABASE_URL": nowhere}, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 1
    assert "postgres away" in done.stdout
    assert "kafka ok" in re.sub(r"\s+", " ", done.stdout)
    assert "Start it, or correct DATABASE_URL." in done.stderr


def test_on_a_terminal_it_is_drawn_again_in_its_place_until_ctrl_c(busy: Spine) -> None:
    with on_terminal(busy, "--every", "0.2", lines=20, columns=80) as (process, terminal):
        seen = until_seen(terminal, HOME, times=3)
        process.send_signal(signal.SIGINT)
        seen += rest(terminal)
        assert process.wait(20) == 0

    screens = seen.split(HOME)[1:]
    assert seen.startswith(HIDE)
    assert seen.endswith(SHOW)
    assert "Traceback" not in seen
    for screen in screens[:2]:
        assert screen.count("\n") == 19
        assert "more lines; make the window higher" in screen
        assert max(map(len, re.sub(r"\x1b\[\??\d*[A-Za-z]", "", screen).split("\r\n"))) <= 80


def test_into_a_pipe_go_plain_lines(busy: Spine) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "status", "--every", "0.1"], env=busy.environ, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    seen = ""
    while seen.count("GGR") < 2:
        seen += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)

    assert process.returncode == 0
    assert "\x1b" not in seen


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("status", *arguments, stdout=out)
    return out.getvalue()


@contextmanager
def on_terminal(spine: Spine, *arguments: str, lines: int, columns: int) -> Iterator[tuple[Process, int]]:
    """`manage.py status` on a pseudo-terminal of a size, and our end of that."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environ: dict[str, Any] = {k: v for k, v in spine.environ.items() if k not in ("COLUMNS", "LINES")}
    command = [sys.executable, "manage.py", "status", *arguments]
    process = subprocess.Popen(command, env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        yield process, ours
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
        os.close(ours)


def until_seen(terminal: int, text: str, times: int) -> str:
    seen, deadline = "", time.monotonic() + PATIENCE_SECONDS
    while seen.count(text) < times:
        assert time.monotonic() < deadline, seen
        seen += read(terminal)
    return seen


def rest(terminal: int) -> str:
    """What is still written until the other end is closed."""
    seen = ""
    while more := read(terminal):
        seen += more
    return seen


def read(terminal: int) -> str:
    ready, _, _ = select.select([terminal], [], [], PATIENCE_SECONDS)
    if not ready:
        return ""
    try:
        return os.read(terminal, 1 << 16).decode(errors="replace")
    except OSError:
        # Nobody holds the other end any more.
        return ""
