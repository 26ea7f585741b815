"""Windows that became hours and days are held against books that did."""

from datetime import timedelta

import pytest

from backoffice.metrics import rollup
from tests.reconcile.conftest import START, Reconcile, Tamper, keep
from tests.spine import Spine

OLD = START + timedelta(days=1)


@pytest.fixture
def rolled(loaded: Spine) -> Spine:
    """The windows are rolled up, and no run has checked anything."""
    keep(loaded, "metrics_window", "metrics_rolled")
    assert rollup.roll(OLD) > 0
    return loaded


@pytest.mark.usefixtures("rolled")
@pytest.mark.parametrize("arguments", [[], ["--full"]])
def test_hours_and_days_are_clean(arguments: list[str], reconcile: Reconcile) -> None:
    assert [reconcile(*arguments) for _ in range(2)][1][1].get("differences") is None


@pytest.mark.parametrize("arguments", [[], ["--full"]])
def test_an_altered_hour_is_found(rolled: Spine, arguments: list[str], tamper: Tamper, reconcile: Reconcile) -> None:
    tamper("UPDATE metrics_window SET count = count + 1 WHERE ctid = (SELECT min(ctid) FROM metrics_window"
           " WHERE metric = 'events_hour') AND tableoid = (SELECT min(tableoid) FROM metrics_window"
           " WHERE metric = 'events_hour')")  # fmt: skip
    reconcile(*arguments)

    code, told = reconcile(*arguments)

    assert (code, [difference["check"] for difference in told["differences"]]) == (1, ["windows"])
    assert "events_hour" in told["differences"][0]["where"]
