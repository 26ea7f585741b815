"""One run of two processes: the same findings, and neither waits for the other for ever."""

import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Retryable
from backoffice.reconcile.runs.beside import Failed, beside
from backoffice.reconcile.runs.run import reconcile as run_once
from tests.reconcile.conftest import Tamper, columns_of
from tests.reconcile.deaf import wait_deaf
from tests.spine import Spine, until


class UnwritableError(Exception):
    """Holds what belongs to its process."""

    def __init__(self, bet: str, what: str) -> None:
        super().__init__(f"the stake of {bet} is {what}")
        self.lock = threading.Lock()


class UnreadableError(Exception):
    """Is made of more than the text by which it would be made again."""

    def __init__(self, bet: str, what: str) -> None:
        super().__init__(f"the stake of {bet} is {what}")


@pytest.fixture(autouse=True)
def settings_of_both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process beside this one reads its settings from the environment."""
    spine: Spine | None = request.getfixturevalue("loaded") if "loaded" in request.fixturenames else None
    for name, value in (spine.environ if spine else {}).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("step", [150, 100_000])
def test_they_find_what_one_finds(step: int, loaded: Spine, tamper: Tamper) -> None:
    windows = tamper("UPDATE metrics_window SET amount = amount + 1 WHERE metric = 'ggr' AND amount > 0 RETURNING 1")
    balances = tamper("UPDATE wallet_balance SET debits = debits + 1 WHERE debits % 7 = 0 RETURNING 1")

    report = run_once(full=False, clock=SystemClock(), step=step, alone_up_to=0)

    books = [d for d in report.differences if d["check"] == "books"]
    # A balance is neither the sum of its events nor that of its transfers.
    assert (report.total - len(books), books != []) == (len(windows) + 2 * len(balances), True)
    assert {d["check"] for d in report.differences} <= {"windows", "balances", "ledger", "books"}
    assert report.checked == _ends_by_topic(loaded)
    assert loaded.value("SELECT sum(next) FROM reconcile_checked") == sum(loaded.ends().values())
    assert loaded.value("SELECT count(*) FROM reconcile_windowtally WHERE is_open") == 0
    assert loaded.value("SELECT count(*) FROM reconcile_balancetally WHERE is_open") == 0
    assert loaded.value("SELECT count(*) FROM reconcile_run") == 1


def _ends_by_topic(spine: Spine) -> dict[str, int]:
    found = dict.fromkeys(sorted(topic for topic, _ in spine.ends()), 0)
    for (topic, _), end in spine.ends().items():
        found[topic] += end
    return found


def test_they_are_clean_where_all_is_well(loaded: Spine) -> None:
    first = run_once(full=False, clock=SystemClock(), alone_up_to=0)
    second = run_once(full=False, clock=SystemClock(), alone_up_to=-1)

    assert (first.clean, second.clean) == (True, True)
    assert sum(first.checked.values()) == sum(loaded.ends().values())


def test_a_doubled_settlement_that_stands_open_is_one_difference(loaded: Spine, tamper: Tamper) -> None:
    columns = ", ".join(name for name in columns_of(loaded, "trading_settlement") if name != "event_id")
    tamper(
        f"INSERT INTO trading_settlement (event_id, {columns}) SELECT gen_random_uuid(), {columns}"
        " FROM trading_settlement LIMIT 1"
    )
    alone = run_once(full=False, clock=SystemClock())

    for _ in range(3):
        report = run_once(full=False, clock=SystemClock(), alone_up_to=-1)

        doubled = [one for one in report.differences if one["check"] == "settlements"]
        assert (len(doubled), report.total) == (1, alone.total)


def test_what_a_process_raises_is_raised_here() -> None:
    with pytest.raises(Retryable, match="away"), beside(_away) as result:
        result()


def _away() -> None:
    raise Retryable("Kafka is away")


@pytest.mark.parametrize("how", [UnwritableError, UnreadableError])
def test_an_error_that_does_not_come_through_is_told_in_words(how: type[Exception]) -> None:
    with pytest.raises(Failed) as raised, beside(partial(_fail, how)) as result:
        result()

    assert str(raised.value).endswith(f"{how.__name__}: the stake of bet 7 is no number")
    assert "in _fail" in "".join(raised.value.__notes__), "where it was raised"


def _fail(how: type[Exception]) -> None:
    raise how("bet 7", "no number")


def test_what_may_pass_stays_so_in_words() -> None:
    with pytest.raises(Retryable, match="_Unheld: Kafka is away"), beside(_away_with_a_lock) as result:
        result()


class _Unheld(Retryable):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


def _away_with_a_lock() -> None:
    raise _Unheld("Kafka is away")


def test_a_result_that_does_not_come_through_is_told_in_words() -> None:
    with pytest.raises(Failed, match="cannot be handed over: TypeError: cannot pickle"), beside(_lock) as result:
        result()


def _lock() -> object:
    return threading.Lock()


def test_an_error_that_is_no_exception_of_pythons_own_is_told() -> None:
    with pytest.raises(Panic, match="overflow"), beside(_panic) as result:
        result()


class Panic(BaseException):
    """As libraries in Rust raise it."""


def _panic() -> None:
    raise Panic("overflow")


def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(Retryable, match="died"), beside(_die) as result:
        result()


def _die() -> None:
    os._exit(1)


def test_no_lock_of_a_thread_of_this_process_is_waited_for() -> None:
    taken = threading.Event()

    def keep() -> None:
        with _LOCK:
            taken.set()
            ended.wait()

    ended = threading.Event()
    threading.Thread(target=keep, daemon=True).start()
    taken.wait()
    try:
        with beside(_take_the_lock) as result:
            assert result() is True
    finally:
        ended.set()


_LOCK = threading.Lock()


def _take_the_lock() -> bool:
    return _LOCK.acquire(timeout=5)


@pytest.mark.timeout(60)
def test_one_that_is_left_early_ends_although_it_hears_no_signal(tmp_path: Path) -> None:
    there = tmp_path / "pid"
    with beside(partial(wait_deaf, there)):
        until(there.exists, "it works")

    assert not _lives(int(there.read_text()))


def test_it_ends_when_the_first_is_killed(tmp_path: Path) -> None:
    there = tmp_path / "pid"
    code = f"from pathlib import Path; from tests.reconcile.deaf import first; first(Path({str(there)!r}))"
    first = subprocess.Popen([sys.executable, "-c", code])
    until(there.exists, "it works")

    first.kill()
    first.wait()

    until(lambda: not _lives(int(there.read_text())), "it ends, too")


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").exists()


def test_what_one_says_of_the_pace_two_say(loaded: Spine) -> None:
    """It is of all there is, of which each process reads a part."""
    ends = loaded.ends()
    of_the_ledger = sum(end for (topic, _), end in ends.items() if topic == "wallet-transactions")
    every = 7 * 24 * 3_600 / (sum(ends.values()) - of_the_ledger / 2)
    slow = {"messages_at_least": 1, "messages_at_most": 1, "interval": every}
    with override_settings(RECONCILE=settings.RECONCILE | slow):
        reports = [run_once(full=False, clock=SystemClock(), alone_up_to=up_to) for up_to in (1e9, 1e9, -1)]

    assert [one["check"] for one in reports[-1].named] == ["pace"]
    assert loaded.value("SELECT count(*) FROM streams_outbox WHERE record = 'ComplianceAlert'") == 1
