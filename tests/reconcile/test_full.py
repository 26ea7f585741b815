"""A run over everything: in steps, gone on with after it was killed, and telling what it finds at once."""

import io
import subprocess
import sys

import pytest
from django.core.management import call_command

from backoffice.kernel.clock import SystemClock
from backoffice.reconcile.books import OF_EVERYTHING
from backoffice.reconcile.models import Run
from backoffice.reconcile.runs.run import reconcile as run_once
from tests.reconcile.conftest import Tamper
from tests.spine import Spine, kill, until

STEP = 60
SCRIPT = f"""
import django
django.setup()
from backoffice.kernel.clock import SystemClock
from backoffice.reconcile.runs.run import reconcile
reconcile(full=True, step={STEP}, clock=SystemClock())
"""


def begun(spine: Spine) -> int:
    """How many offsets a run that is under way has checked."""
    return int(spine.value("SELECT coalesce(sum(next), 0) FROM reconcile_fullchecked"))


def killed_on_its_way(spine: Spine) -> int:
    """A run in a process of its own that is killed when it has done a part; how much that was."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], env=spine.environ, start_new_session=True)
    try:
        until(lambda: begun(spine) > 4 * STEP, "some steps are done")
    finally:
        kill(process)
    return begun(spine)


def test_it_is_gone_on_with_after_a_kill(loaded: Spine, tamper: Tamper) -> None:
    tamper("UPDATE players_login SET country = 'XX' WHERE event_id = (SELECT event_id FROM players_login"
           " WHERE source_partition = 0 ORDER BY source_offset LIMIT 1)")  # fmt: skip
    done, all_there_is = killed_on_its_way(loaded), sum(loaded.ends().values())
    assert done < all_there_is
    lines: list[str] = []

    report = run_once(full=True, step=STEP, clock=SystemClock(), say=lines.append)

    assert "Goes on with the run of" in lines[0]
    assert sum(report.checked.values()) == all_there_is
    (difference,) = report.differences
    assert (difference["check"], difference["kafka"]["table"]) == ("rows", "players_login")
    assert Run.objects.count() == 1
    assert [loaded.value(f"SELECT count(*) FROM {table}") for table in OF_EVERYTHING.tables()] == [0] * 5


def test_it_can_begin_anew(loaded: Spine) -> None:
    killed_on_its_way(loaded)
    lines: list[str] = []

    report = run_once(full=True, anew=True, clock=SystemClock(), say=lines.append)

    assert not any("Goes on with" in line for line in lines)
    assert (report.clean, sum(report.checked.values())) == (True, sum(loaded.ends().values()))
    assert Run.objects.count() == 1


@pytest.mark.usefixtures("loaded")
def test_it_leaves_the_books_of_the_clock_alone(loaded: Spine) -> None:
    assert run_once(full=False, clock=SystemClock()).clean
    books = "SELECT (SELECT sum(next) FROM reconcile_checked), (SELECT count(*) FROM reconcile_statetally)"
    before = loaded.rows(books)

    assert run_once(full=True, clock=SystemClock(), step=500).clean

    assert loaded.rows(books) == before
    assert run_once(full=False, clock=SystemClock()).clean


def test_findings_and_progress_are_told_on_the_way(loaded: Spine, tamper: Tamper) -> None:
    tamper("UPDATE trading_bet SET stake = stake + 1 WHERE id = (SELECT min(id::text)::uuid FROM trading_bet)")
    lines: list[str] = []

    run_once(full=True, step=200, clock=SystemClock(), say=lines.append)

    found = next(number for number, line in enumerate(lines) if line.startswith("difference (rows) bet-events["))
    read = [number for number, line in enumerate(lines) if "messages read" in line and line.endswith("left.")]
    assert read[0] < len(lines) - 1
    assert found < read[-1]
    assert any("tables were walked through" in line for line in lines[found:])
    assert loaded.value("SELECT count(*) FROM reconcile_run WHERE finished_at IS NULL") == 0


def test_the_command_tells_them_on_stderr(loaded: Spine, tamper: Tamper) -> None:
    tamper("UPDATE trading_bet SET stake = stake + 1 WHERE id = (SELECT min(id::text)::uuid FROM trading_bet)")
    output, errors = io.StringIO(), io.StringIO()

    with pytest.raises(SystemExit):
        call_command("reconcile", full=True, stdout=output, stderr=errors)

    assert "difference (rows) bet-events[" in errors.getvalue()
    assert output.getvalue().count("\n") == 1
    assert loaded.value("SELECT count(*) FROM reconcile_run") == 1
