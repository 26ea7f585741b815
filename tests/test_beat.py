"""Beat goes on where its clock was ahead for a while, restarted or not."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest
from celery.beat import ScheduleEntry

from backoffice.beat import Scheduler
from backoffice.celery import app

DAY = timedelta(days=1)
NAMES = set(app.conf.beat_schedule)


class Noting(Scheduler):
    """Notes what of ours it would send."""

    sent: set[str]
    producer = property(lambda _: None)

    def apply_entry(self, entry: ScheduleEntry, producer: object = None) -> None:  # noqa: ARG002
        self.sent |= {str(entry.name)} & NAMES


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> list[timedelta]:
    """By how much the clock of this machine is wrong."""
    by, right = [timedelta()], app.now
    monkeypatch.setattr(app, "now", lambda: right() + by[0])
    return by


def beat(path: Path) -> Noting:
    found = Noting(app, schedule_filename=str(path / "schedule"), lazy=False)
    found.sent = set()
    return found


def sent(scheduler: Noting) -> set[str]:
    """What it sends until it would wait."""
    scheduler.sent.clear()
    while not scheduler.tick():
        pass
    return set(scheduler.sent)


def test_the_settings_name_it() -> None:
    assert app.conf.beat_scheduler == "backoffice.beat:Scheduler"


@pytest.mark.parametrize("restarted", [False, True], ids=["goes on", "restarted"])
def test_what_was_sent_at_a_time_that_is_still_to_come_is_sent_again(
    tmp_path: Path, ahead: list[timedelta], caplog: pytest.LogCaptureFixture, restarted: bool
) -> None:
    scheduler = beat(tmp_path)
    ahead[0] = 2 * DAY
    assert sent(scheduler) == NAMES
    ahead[0] = timedelta()
    if restarted:
        scheduler.close()
        scheduler = beat(tmp_path)

    with caplog.at_level(logging.WARNING):
        assert sent(scheduler) == NAMES

    assert sent(scheduler) == set()
    ahead[0] = timedelta(hours=1)
    assert {"judge silent providers", "purge the outbox"} <= sent(scheduler)
    scheduler.close()


def test_what_was_sent_is_not_sent_again_after_a_restart(tmp_path: Path, ahead: list[timedelta]) -> None:
    scheduler = beat(tmp_path)
    ahead[0] = 2 * DAY
    sent(scheduler)
    scheduler.close()

    scheduler = beat(tmp_path)

    assert sent(scheduler) == set()
    scheduler.close()


def test_nothing_that_it_sends_expires_or_waits_by_its_clock(tmp_path: Path) -> None:
    scheduler = beat(tmp_path)

    ours = [entry.options or {} for entry in scheduler.schedule.values() if entry.name in NAMES]
    # Each of these would be judged by the clock of the worker.
    assert not any({"expires", "eta", "countdown"} & options.keys() for options in ours)
    assert len(ours) == len(NAMES)
    scheduler.close()
