"""``manage.py simulate`` against real servers: the same bytes for the same seed, clean books, and no slice lost."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.simulator.cluster import held, own_topics
from tests.simulator.operator.lives import RECORDS
from tests.spine import Spine, kill, until

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[3]
START = "2026-01-05T18:00:00Z"


@pytest.fixture
def prefixes() -> Iterator[tuple[str, str]]:
    with own_topics(settings.KAFKA) as first, own_topics(settings.KAFKA) as second:
        yield first, second


def simulate(**options: object) -> dict[str, Any]:
    """Run the command here; what its last line says."""
    out = StringIO()
    usual = {"seed": 7, "rate": 4, "players": 150, "start": START, "speed": "max", "seconds": 3_600}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in (usual | options).items() if value is not None]
    call_command("simulate", *words, stdout=out)
    told: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return told


def test_the_same_seed_gives_identical_topics(prefixes: tuple[str, str]) -> None:
    found = []
    for prefix in prefixes:
        with override_settings(KAFKA_TOPIC_PREFIX=prefix):
            told = simulate(backfill="6h")
            found.append(held(settings.KAFKA, prefix))
            assert told["events"] == sum(len(part) for parts in found[-1].values() for part in parts) > 5_000

    assert found[0] == found[1]


def test_a_run_from_its_state_goes_on_where_it_stopped(spine: Spine, tmp_path: Path) -> None:
    state = tmp_path / "operator.state"
    simulate(state=state, seconds=1_800)
    told = simulate(state=state, seconds=5_400)

    assert told["until"] == "2026-01-05T19:30:00+00:00"
    assert_clean(spine)
    assert spine.value("SELECT count(*) FROM players_player") == told["players"]


def test_a_slice_that_was_sent_and_not_saved_is_sent_again_and_stored_once(spine: Spine, tmp_path: Path) -> None:
    state = tmp_path / "operator.state"
    simulate(state=state, seconds=1_800)
    before = state.read_bytes()
    simulate(state=state, seconds=3_600)
    state.write_bytes(before)
    simulate(state=state, seconds=3_600)

    assert_clean(spine)
    assert spine.value("SELECT count(*) FROM streams_repeat") > 100


def test_killed_in_the_middle_of_the_day_it_goes_on_without_loss(spine: Spine, tmp_path: Path) -> None:
    state = tmp_path / "operator.state"
    with live(spine, state) as process:
        until(lambda: state.exists() and spine.ends() != {}, "a first slice")
        first = state.stat().st_mtime_ns
        until(lambda: state.stat().st_mtime_ns > first, "slices")
        kill(process)
    told = simulate(state=state, start=None, speed=1, seconds=3)

    assert told["events"] > 0
    assert_clean(spine)


def test_asked_to_end_it_ends_with_everything_in_kafka(spine: Spine, tmp_path: Path) -> None:
    state = tmp_path / "operator.state"
    with live(spine, state) as process:
        until(state.exists, "a first slice")
        process.terminate()
        out, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    told = json.loads(out.splitlines()[-1])
    assert told["events"] == sum(spine.ends().values())


@contextmanager
def live(spine: Spine, state: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The command in a process of its own, in step with the clock; killed in the end if it still runs."""
    command = [sys.executable, "manage.py", "simulate", "--seed=7", "--rate=100", "--players=200", f"--state={state}"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=spine.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            kill(process)


def test_a_month_of_history_is_stored_and_adds_up(spine: Spine) -> None:
    told = simulate(backfill="2d", seconds=60, backfill_seconds=3)

    assert_clean(spine)
    stored = spine.value("SELECT sum(count) FROM metrics_window WHERE metric = 'events'")
    assert stored == told["events"] - told["per_topic"]["market-prices"]
    records = {record for (record,) in spine.rows("SELECT DISTINCT key FROM metrics_window WHERE metric = 'events'")}
    assert {"BetSettled", "RoundCompleted", "WithdrawalPaid", "BonusConverted", "MarketUpdate"} <= records <= {*RECORDS}


def test_a_day_of_ten_thousand_players_adds_up(spine: Spine) -> None:
    """They come more seldom than players do, so that a day is not two million events; those are in the benchmark."""
    told = simulate(players=10_000, rate=2, start="2026-01-06T00:00:00Z", seconds=86_400)

    assert_clean(spine)
    assert told["events"] > 100_000
    assert spine.value("SELECT count(*) FROM players_player") == told["players"] >= 10_000
    assert spine.value("SELECT sum(debits) - sum(credits) FROM wallet_balance") == 0


def test_a_state_of_another_seed_or_a_damaged_one_is_refused(spine: Spine, tmp_path: Path) -> None:
    state = tmp_path / "operator.state"
    simulate(state=state, seconds=60)
    with pytest.raises(CommandError, match="seed 7"):
        simulate(state=state, seed=8)
    state.write_bytes(state.read_bytes()[:-1] + b"?")
    with pytest.raises(CommandError, match="damaged"):
        simulate(state=state)


def assert_clean(spine: Spine) -> None:
    spine.drain()
    told = StringIO()
    # The process that it begins beside this one has no settings but those.
    with patch.dict(os.environ, spine.environ):
        call_command("reconcile", stdout=told)
    assert "named" not in json.loads(told.getvalue())
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 0
