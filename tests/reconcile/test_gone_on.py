"""A run over everything that was broken off and goes on: what it had found counts, and what is new has its room."""

from collections.abc import Callable
from functools import partial

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from backoffice.kernel.clock import SystemClock
from backoffice.reconcile import differences
from backoffice.reconcile.models import Rest, Run
from backoffice.reconcile.runs.progress import status
from backoffice.reconcile.runs.run import Report
from backoffice.reconcile.runs.run import reconcile as run_once
from tests.reconcile.conftest import Tamper, changed
from tests.reconcile.test_storms import MANY, MEND_MANY, many, open_alerts, open_findings
from tests.spine import Spine

FEW = 3
FIRST = "SELECT id FROM trading_bet WHERE source_partition = 0 ORDER BY source_offset LIMIT 1"
ALTER = f"UPDATE trading_bet SET stake = stake + 1 WHERE id = ({FIRST})"


class Stopped(Exception):  # noqa: N818 - not an error: somebody breaks the run off
    pass


def in_full(say: Callable[[str], None] = print, step: int = 6_000) -> Report:
    return run_once(full=True, step=step, clock=SystemClock(), say=say)


def broken_off(is_time: Callable[[], bool]) -> None:
    def say(line: str) -> None:
        if "messages read" in line and is_time():
            raise Stopped

    with pytest.raises(Stopped):
        in_full(say, step=60)


def has_found_a_difference() -> bool:
    return Run.objects.filter(full=True, total__gt=0).exists()


def test_a_run_of_which_an_edition_kept_no_counts_begins_anew(loaded: Spine, tamper: Tamper) -> None:
    tamper(ALTER)
    broken_off(has_found_a_difference)
    call_command("migrate", "reconcile", "0014", verbosity=0)
    call_command("migrate", verbosity=0)
    assert "`--full` begins anew" in "\n".join(status(SystemClock().now()))
    lines: list[str] = []

    report = in_full(lines.append)

    assert lines[0].startswith("Begins anew: an older edition began the run of ")
    assert (report.clean, report.total, len(report.differences)) == (False, 1, 1)
    assert sum(report.checked.values()) == sum(loaded.ends().values())
    assert open_findings() == {("bet-events", "rows"): 1}


def test_a_run_of_which_an_edition_kept_no_counts_goes_on_where_it_had_found_nothing(loaded: Spine) -> None:
    broken_off(lambda: True)
    call_command("migrate", "reconcile", "0014", verbosity=0)
    call_command("migrate", verbosity=0)
    lines: list[str] = []

    report = in_full(lines.append)

    assert lines[0].startswith("Goes on with the run of ")
    assert (report.clean, sum(report.checked.values())) == (True, sum(loaded.ends().values()))


def test_what_is_new_is_noted_though_the_run_had_listed_as_many_before(
    continued: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "LISTED", FEW)
    meddle = partial(changed, continued)
    meddle(many(9))
    broken_off(lambda: open_findings()["game-rounds", "rows"] >= FEW)
    with override_settings(RECONCILE=settings.RECONCILE | {"messages_at_least": 100_000, "rows_at_least": 100_000}):
        meddle(MEND_MANY)
        for _ in range(4):
            run_once(full=False, clock=SystemClock())
    assert (open_findings(), list(Rest.objects.all()), open_alerts(continued)) == ({}, [], {})
    meddle(f"{MANY} ORDER BY source_partition DESC, source_offset DESC LIMIT 2)")

    report = in_full()

    assert open_findings() == {("game-rounds", "rows"): 2}
    assert len(open_alerts(continued)) == 1
    (counted,) = report.counts
    assert counted["listed"] == len(report.differences) == FEW + 2
