"""Changes of status go when nobody follows them any more, and what is left of them leads to what the market has."""

from datetime import UTC, datetime, timedelta

from trading.models import StatusChange
from trading.tasks import purge_changed

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def changed(version: int, days_ago: int, status: str) -> None:
    StatusChange.objects.create(
        market_id="1x2", sport_event_id="match-1", version=version, version_at=NOW - timedelta(days=days_ago),
        version_logged_at=NOW, version_offset=version, status=status,
    )  # fmt: skip


def test_old_changes_go_from_the_first_on(database: str) -> None:
    for version, days_ago, status in (
        (1, 9, "open"), (2, 8, "suspended"), (3, 6, "open"), (4, 8, "suspended"), (5, 5, "open"),
    ):  # fmt: skip
        changed(version, days_ago, status)

    assert purge_changed(NOW - timedelta(days=7)) == 2

    assert list(StatusChange.objects.order_by("id").values_list("version", flat=True)) == [3, 4, 5]


def test_changes_that_came_too_late_go_when_they_are_old_and_keep_no_others(database: str) -> None:
    for version, days_ago, status in (
        (1, 6, "suspended"), (2, 8, "open"), (3, 6, "suspended"), (4, 8, "open"),
    ):  # fmt: skip
        changed(version, days_ago, status)
    StatusChange.objects.filter(version__in=[1, 4]).update(is_late=True)

    assert purge_changed(NOW - timedelta(days=7)) == 2

    assert list(StatusChange.objects.order_by("id").values_list("version", flat=True)) == [1, 3]
