"""What Kafka wants of a table, folded in plain Python: the newest of each key, or the sum."""

from typing import Any

import pytest

from backoffice.reconcile.checks import windows
from backoffice.reconcile.checks.wants import Want
from backoffice.reconcile.declared import Description
from backoffice.reconcile.messages.reading import Events

MINUTE = 60_000_000
HOUR, DAY = 60 * MINUTE, 1_440 * MINUTE


def described(**changes: Any) -> Description:
    usual: dict[str, Any] = {
        "counts": {"BetPlaced": lambda event: [("stakes", "sports", event["stake"]), ("bets", event["kind"], None)]},
        "by_hour_and_day": frozenset({"stakes"}),
        "counted": frozenset({"BetPlaced"}),
    }
    return Description("trading", **(usual | changes))


def bet(at: int, stake: int = 5, kind: str = "single", currency: str = "EUR") -> dict[str, Any]:
    return {"occurred_at": at, "stake": stake, "kind": kind, "currency": currency}


def counted(
    said: Description, *events: dict[str, Any], record: str = "BetPlaced", rolled_before: int = 0
) -> dict[Any, Any]:
    """Count and amount by metric, minute, key and currency, out of one partition."""
    want = windows.windows("trading")
    windows.count(want, said, "bet-events", 3, record, Events([*range(len(events))], [*events]), rolled_before)
    assert {key[4:] for key in want.rows} <= {("bet-events", 3)}
    return {key[:4]: row for key, row in want.rows.items()}


def test_the_newest_row_of_a_key_is_wanted_whatever_order_they_come_in() -> None:
    want = Want("state", "trading_market", ("id",), ("status",), by=("version", "offset"))
    for row in ((5, 1, "open"), (7, 1, "closed"), (6, 9, "suspended"), (7, 0, "open"), (7, 1, "settled")):
        want.newest(("1x2",), row)
    want.newest(("totals",), (0, 0, "open"))

    assert want.rows == {("1x2",): (7, 1, "closed"), ("totals",): (0, 0, "open")}
    assert want.columns == ("id", "version", "offset", "status")
    assert want.temporary == "want_state"


def test_two_numbers_of_a_key_are_added_up() -> None:
    want = Want("window", "metrics_window", ("metric",), ("count", "amount"), adding=True)
    for key, first, second in (("ggr", 1, 500), ("ggr", 2, -700), ("bets", 1, 0)):
        want.add((key,), first, second)

    assert want.rows == {("ggr",): (3, -200), ("bets",): (1, 0)}


def test_what_comes_late_stands_under_its_hour_and_day_alone() -> None:
    found = counted(described(), bet(DAY - 1), bet(DAY), rolled_before=DAY)

    assert {(metric, at) for metric, at, *_ in found} == {
        *((f"{metric}_hour", DAY - HOUR) for metric in ("events", "stakes", "bets")),
        *((f"{metric}_day", 0) for metric in ("events", "stakes", "bets")),
        *((metric, DAY) for metric in ("events", "bets", "stakes", "stakes_hour", "stakes_day")),
    }


def test_events_and_what_they_count_stand_under_their_minute() -> None:
    found = counted(described(), bet(MINUTE - 1), bet(MINUTE, 7), bet(2 * MINUTE - 1, 8, "system", "SEK"))

    assert {key: row for key, row in found.items() if not key[0].startswith("stakes")} == {
        ("events", 0, "BetPlaced", ""): (1, 0), ("events", MINUTE, "BetPlaced", ""): (2, 0),
        ("bets", 0, "single", ""): (1, 0), ("bets", MINUTE, "single", ""): (1, 0),
        ("bets", MINUTE, "system", ""): (1, 0),
    }  # fmt: skip
    assert {key: row for key, row in found.items() if key[0] == "stakes"} == {
        ("stakes", 0, "sports", "EUR"): (1, 5), ("stakes", MINUTE, "sports", "EUR"): (1, 7),
        ("stakes", MINUTE, "sports", "SEK"): (1, 8),
    }  # fmt: skip


def test_some_metrics_stand_under_their_hour_and_day_too() -> None:
    found = counted(described(counted=frozenset()), bet(DAY + HOUR - 1), bet(DAY + HOUR, 7), bet(2 * DAY, 8))

    assert {key: row for key, row in found.items() if "_" in key[0]} == {
        ("stakes_hour", DAY, "sports", "EUR"): (1, 5), ("stakes_hour", DAY + HOUR, "sports", "EUR"): (1, 7),
        ("stakes_hour", 2 * DAY, "sports", "EUR"): (1, 8),
        ("stakes_day", DAY, "sports", "EUR"): (2, 12), ("stakes_day", 2 * DAY, "sports", "EUR"): (1, 8),
    }  # fmt: skip
    assert not [key for key in found if key[0] == "events"]


@pytest.mark.parametrize(
    ("changes", "metrics"),
    [
        ({"counts": {}}, {"events"}),
        ({"counted": frozenset()}, {"stakes", "stakes_hour", "stakes_day", "bets"}),
        ({"counts": {}, "counted": frozenset()}, set()),
        ({"by_hour_and_day": frozenset()}, {"events", "stakes", "bets"}),
    ],
)
def test_only_what_a_stream_counts_is_counted(changes: dict[str, Any], metrics: set[str]) -> None:
    assert {key[0] for key in counted(described(**changes), bet(0))} == metrics
    assert counted(described(**changes), bet(0), record="BetSettled") == {}


def test_of_a_window_rows_are_wanted_by_all_that_tells_them_apart() -> None:
    want = windows.windows("trading")

    assert (want.name, want.target, want.values, want.adding) == (
        "window_trading", "metrics_window", ("count", "amount"), True,
    )  # fmt: skip
    assert want.key == ("metric", "minute", "key", "currency", "topic", "partition")


def test_a_topic_has_windows_where_one_of_its_records_is_counted() -> None:
    assert windows.counted_topics(described(counted=frozenset({"MarketUpdate"}))) == {"bet-events", "odds-feed"}
    assert windows.counted_topics(described(counts={}, counted=frozenset())) == frozenset()


def test_a_player_is_seen_by_the_records_that_show_it() -> None:
    said = described(seen=("BetPlaced", "LoginSucceeded"))

    (state,) = windows.activity(said, ["BetSettled", "BetPlaced"])

    assert (state.records, state.table, state.to_minute, state.with_topic) == (
        ("BetPlaced",), "metrics_activity", True, True,
    )  # fmt: skip
    assert (state.key, state.by, state.columns) == ({"player_id": "player_id"}, ("minute", "brand", "jurisdiction"), {})
    assert windows.activity(said, ["BetSettled"]) == ()
