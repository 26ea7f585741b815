"""What the live pages are told of a committed batch."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from backoffice.live.board import Rows
from tests.streams.arriving import arrived
from trading.live import MOST_UPDATES, announcement

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def update(market: str, version: int, status: str = "open", **changes: Any) -> dict[str, Any]:
    return {"sport_event_id": "match-1", "market_id": market, "version": version, "status": status} | changes


def said(*updates: dict[str, Any]) -> dict[str, Any]:
    return dict(announcement({"MarketUpdate": arrived("MarketUpdate", *updates)}))


def told(*updates: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Market, version and status of what is told of the match, in order."""
    groups = said(*updates)["prices:match-1"]
    return [(market, rows[market]["version"], rows[market]["status"]) for market, rows in groups]


def test_of_each_market_only_the_newest_update_is_told() -> None:
    assert told(update("m", 1), update("n", 4), update("m", 3), update("m", 2)) == [("m", 3, "open"), ("n", 4, "open")]


def test_what_is_told_of_an_update_from_before_a_silence_is_a_market_that_is_suspended() -> None:
    """A partition that lags behind is stored when the provider is heard again."""
    events = arrived("MarketUpdate", update("m", 1), update("n", 1, provider="another"))
    logged_at = EPOCH + timedelta(minutes=1)
    events = replaced(events, logged_at=logged_at, taken_at=None)
    provider = events["provider"][0].as_py()

    def shown(doubted_until: datetime) -> list[str]:
        groups: Any = announcement({"MarketUpdate": events}, {provider: doubted_until})
        hints = [rows[key]["status"] for key, rows in groups["statuses:match-1"]]
        assert hints == [rows[key]["status"] for key, rows in groups["prices:match-1"]]
        return hints

    assert shown(logged_at) == ["suspended", "open"]
    assert shown(logged_at - timedelta(milliseconds=1)) == ["open", "open"]


def test_where_the_log_does_not_tell_it_is_when_it_was_read_that_counts() -> None:
    taken_at = EPOCH + timedelta(minutes=1)
    events = replaced(arrived("MarketUpdate", update("m", 1)), logged_at=EPOCH, taken_at=taken_at)
    provider = events["provider"][0].as_py()

    def shown(doubted_until: datetime) -> str:
        groups: Any = announcement({"MarketUpdate": events}, {provider: doubted_until})
        return str(groups["prices:match-1"][0][1]["m"]["status"])

    assert shown(taken_at) == "suspended"
    assert shown(taken_at - timedelta(milliseconds=1)) == "open"


def replaced(events: pa.Table, **times: datetime | None) -> pa.Table:
    """The events with other times in these columns, as they are in a batch."""
    for name, at in times.items():
        field = events.schema.field(name)
        column = pa.array([at and at.replace(tzinfo=None)] * events.num_rows, field.type)
        events = events.set_column(events.schema.get_field_index(name), field, column)
    return events


def test_each_status_that_a_market_had_within_a_batch_is_a_hint() -> None:
    batch = (
        update("m", 1), update("m", 2, "suspended"), update("n", 8), update("m", 3, "suspended"), update("m", 4),
        update("m", 5),
    )  # fmt: skip

    hints = [(market, rows[market]["status"]) for market, rows in said(*batch)["statuses:match-1"]]

    assert hints == [("m", "open"), ("m", "suspended"), ("m", "open"), ("n", "open")]
    assert told(*batch) == [("m", 5, "open"), ("n", 8, "open")]


def test_a_market_comes_with_its_runners() -> None:
    runner = {
        "outcome_id": "7", "name": "Netherlands", "status": "active", "back_odds": 1_850, "back_size": 10_00,
        "lay_odds": 1_860, "lay_size": 5_00, "last_odds": None,
    }  # fmt: skip
    events = arrived("MarketUpdate", update("m", 1, outcomes=[runner], traded_volume=None))

    groups: Any = announcement({"MarketUpdate": events})["prices:match-1"]
    rows: Rows = groups[0][1]

    assert rows["m"]["traded"] is None
    assert rows["m/7"] == {
        "market": "m", "name": "Netherlands", "status": "active", "back": 1_850, "back_size": 10_00, "lay": 1_860,
        "lay_size": 5_00, "last": None,
    }  # fmt: skip


def test_of_a_backlog_and_of_bets_only_is_told_that_there_is_something_to_read() -> None:
    backlog = arrived("MarketUpdate", *(update("m", version) for version in range(MOST_UPDATES + 1)))

    assert announcement({"MarketUpdate": backlog}) == {"prices:match-1": None, "statuses:match-1": None}
    assert announcement({"MarketUpdate": backlog.slice(0, 0)}) == {}
    assert announcement({"BetPlaced": arrived("BetPlaced")}) == {"ticker": None}
    assert announcement({"LoginFailed": arrived("LoginFailed")}) == {}
