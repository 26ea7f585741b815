"""Runs of feeds that are long over are forgotten, unless an earlier one may have left markets open."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command

from tests.spine import Spine
from tests.trading.test_feed_runs import began, shown, told
from trading.models import FeedRun, Market
from trading.selectors import markets_of
from trading.tasks import purge_begun, purge_feed_runs

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LONG_AGO = NOW - 31 * DAY


def run(provider: str, subscription: str = "", at: datetime = LONG_AGO, **changes: Any) -> UUID:
    times: dict[str, Any] = {"began_logged_at": at, "began_appended_at": at, "began_taken_at": at} | changes
    begun = FeedRun.objects.create(
        provider=provider, subscription=subscription, run=uuid4(), began_at=at, began_offset=0, **times
    )
    return begun.run


def market(provider: str, status: str, subscription: str | None = None, run: UUID | None = None, **times: Any) -> None:
    Market.objects.create(
        id=f"{provider}/{subscription}", sport_event_id="e", provider=provider, type="t", name="n", status=status,
        is_in_play=True, bet_delay=0, winners=1, currency="EUR", version=1, version_at=LONG_AGO,
        version_logged_at=LONG_AGO, version_offset=0, subscription=subscription, run=run, **times,
    )  # fmt: skip


def kept() -> set[tuple[str, str]]:
    return set(FeedRun.objects.values_list("provider", "subscription"))


@pytest.mark.usefixtures("database")
def test_a_run_is_kept_while_it_is_new_or_shuts_a_market() -> None:
    run("north", "tennis of monday")
    run("north", "tennis of today", NOW - DAY)
    run("north", "cricket")
    market("north", "suspended", "cricket")
    run("north")
    run("south")
    market("south", "settled")

    assert purge_begun(NOW - 30 * DAY) == 2
    assert kept() == {("north", ""), ("north", "cricket"), ("north", "tennis of today")}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("told", "is_kept"),
    [
        ({"version_appended_at": NOW - DAY, "version_taken_at": NOW - DAY}, True),
        ({"version_appended_at": None, "version_taken_at": NOW - DAY}, True),
        ({"version_appended_at": NOW - DAY, "version_taken_at": None}, True),
        ({"version_appended_at": LONG_AGO, "version_taken_at": NOW - DAY}, True),
        ({"version_appended_at": None, "version_taken_at": None}, True),
        ({"version_appended_at": LONG_AGO, "version_taken_at": LONG_AGO}, False),
        ({"version_appended_at": None, "version_taken_at": LONG_AGO}, False),
    ],
)
def test_a_run_is_kept_while_it_may_be_at_work(told: dict[str, Any], is_kept: bool) -> None:
    """Though all that it told last is over for now: what it tells next counts by its id."""
    market("north", "settled", "tennis", run("north", "tennis"), **told)
    market("south", "settled", run=run("south"), **told)

    purge_begun(NOW - 30 * DAY)

    assert kept() == ({("north", "tennis"), ("south", "")} if is_kept else set())


@pytest.mark.usefixtures("database")
def test_a_run_that_tells_markets_is_believed_on_the_day_after_none_was_undecided() -> None:
    """Its log has no times, and one of all markets is at work too: only its id speaks for it."""
    untimed: dict[str, Any] = {"began_logged_at": datetime(1970, 1, 1, tzinfo=UTC), "began_appended_at": None}
    run("north", **untimed)
    market("north", "open")
    tennis = run("north", "tennis", **untimed | {"began_logged_at": datetime(1970, 1, 2, tzinfo=UTC)})
    market("north", "settled", "tennis", tennis, version_taken_at=NOW - DAY)

    purge_begun(NOW - 30 * DAY)
    Market.objects.filter(subscription="tennis").update(status="open", version_taken_at=NOW)

    assert [(state.id, state.status) for state in markets_of("e")] == [
        ("north/None", "suspended"), ("north/tennis", "open"),
    ]  # fmt: skip


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "changes",
    [
        {"began_logged_at": NOW - DAY},
        {"began_appended_at": None, "began_taken_at": NOW - DAY, "began_logged_at": datetime(1970, 1, 1, tzinfo=UTC)},
        {"began_appended_at": None, "began_taken_at": None},
    ],
)
def test_a_run_of_which_nobody_is_sure_that_it_began_long_ago_is_kept(changes: dict[str, Any]) -> None:
    run("north", **changes)

    assert purge_begun(NOW - 30 * DAY) == 0


def test_what_is_forgotten_is_not_missed_by_reconciliation_and_else_it_is(spine: Spine, settings: Any) -> None:
    told(spine, "Winner")
    began(spine)
    began(spine, "tennis")
    settings.FEED_RUNS_KEPT = timedelta()
    purge_feed_runs()
    assert kept() == {("northfeed", "")}
    assert shown("Winner") == ("suspended",)
    call_command("reconcile", "--full", "--anew", stdout=StringIO())

    settings.FEED_RUNS_KEPT = DAY
    with pytest.raises(SystemExit):
        call_command("reconcile", "--full", "--anew", stdout=StringIO())
