"""Beat goes on where its clock was ahead for a while, restarted or not."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from celery.beat import ScheduleEntry, SchedulingError
from redis import ReadOnlyError

from backoffice.beat import Scheduler
from backoffice.celery import app

DAY = timedelta(days=1)
NAMES = set(app.conf.beat_schedule)
REFUSED = ReadOnlyError("READONLY You can't write\nagainst a read only replica.")


class Noting(Scheduler):
    """Notes what of ours it would send; ``away`` and ``refuses`` are what is raised instead, if anything."""

    sent: set[str]
    away: Exception | None = None
    refuses: Exception | None = None

    @property
    def producer(self) -> None:  # type: ignore[override]
        if self.away:
            raise self.away

    def apply_async(self, entry: ScheduleEntry, *_: object, **__: object) -> None:
        try:
            if self.refuses:
                raise self.refuses
        except Exception as error:  # noqa: BLE001
            # As Celery does with whatever it is.
            raise SchedulingError(f"Couldn't apply scheduled task {entry.name}: {error}")  # noqa: B904
        self.sent |= {str(entry.name)} & NAMES

    @contextmanager
    def failing(self, how: str, error: Exception) -> Iterator[None]:
        setattr(self, how, error)
        try:
            yield
        finally:
            setattr(self, how, None)


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


@pytest.mark.parametrize("how", ["away", "refuses"])
@pytest.mark.parametrize("restarted", [False, True], ids=["goes on", "restarted"])
def test_what_the_broker_does_not_take_stays_due(
    tmp_path: Path, ahead: list[timedelta], caplog: pytest.LogCaptureFixture, how: str, restarted: bool
) -> None:
    scheduler = beat(tmp_path)
    ahead[0] = 2 * DAY
    with scheduler.failing(how, REFUSED):
        pauses = [scheduler.tick() for _ in range(30)]
        assert scheduler.sent == set()
    assert pauses == [1, 2, 4, 8] + [10] * 26
    told = [line for line in caplog.text.splitlines() if "jobs are not sent" in line]
    assert len(told) == 30
    assert "READONLY You can't write" in told[0]
    assert "Traceback" not in caplog.text
    if restarted:
        scheduler.close()
        scheduler = beat(tmp_path)

    assert sent(scheduler) == NAMES
    assert sent(scheduler) == set()
    scheduler.close()


@pytest.mark.parametrize("how", ["away", "refuses"])
def test_a_fault_of_our_own_is_told_with_where_it_came_from(
    tmp_path: Path, ahead: list[timedelta], caplog: pytest.LogCaptureFixture, how: str
) -> None:
    scheduler = beat(tmp_path)
    ahead[0] = 2 * DAY

    with scheduler.failing(how, ZeroDivisionError("ours")):
        scheduler.tick()

    assert "jobs are not sent" in caplog.text
    assert "Traceback" in caplog.text
    assert "ZeroDivisionError: ours" in caplog.text
    assert sent(scheduler) == NAMES
    scheduler.close()
