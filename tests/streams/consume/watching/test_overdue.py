"""Which jobs are told to be overdue, and by whom: not by a worker that is up for less long than they may take."""

from datetime import timedelta

import pytest

from backoffice.streams.consume.watching import overdue
from backoffice.streams.database import connect
from backoffice.streams.jobs import judged_after, schedules

OFTEN, DAILY = "trading.judge_silence", "streams.make_partitions"


@pytest.fixture(autouse=True)
def all_are_late(database: str) -> None:
    with connect() as connection:
        connection.execute(
            "UPDATE streams_clocked_job SET known_since = now() - interval '3 days', succeeded_at = NULL"
        )


def untold(up: timedelta) -> set[str]:
    with connect() as connection:
        return set(overdue.read(connection, lambda: up).untold)


def test_a_worker_that_has_just_begun_tells_of_none() -> None:
    assert untold(timedelta()) == set()
    assert untold(judged_after(OFTEN) - timedelta(seconds=1)) == set()


def test_what_runs_often_is_told_soon_and_what_runs_daily_within_the_hour_and_its_limit() -> None:
    assert untold(judged_after(OFTEN)) == {OFTEN}
    assert judged_after(DAILY) <= timedelta(hours=1, minutes=15)
    assert untold(judged_after(DAILY)) == set(schedules())


def test_that_a_job_is_done_again_is_told_by_whoever_sees_it() -> None:
    with connect() as connection:
        connection.execute(
            "UPDATE streams_clocked_job SET succeeded_at = now(), overdue_alert_id = gen_random_uuid() WHERE name = %s",
            [DAILY],
        )

        found = overdue.read(connection, timedelta)

    assert (found.untold, found.over) == ({}, frozenset({DAILY}))
