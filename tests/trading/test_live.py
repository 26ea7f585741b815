"""What the live pages are told of a committed batch."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
import pytest

from backoffice.live.board import Rows
from tests.streams.arriving import arrived
from trading.doubts import Doubts, Run
from trading.live import MOST_UPDATES, announcement, as_shown

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOGGED = EPOCH + timedelta(minutes=1)


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


def shown(doubted_until: datetime, *changes: dict[str, Any], **times: datetime | None) -> list[str]:
    """The statuses that are shown of markets told at these times, while the first one's provider is doubted."""
    events = replaced(arrived("MarketUpdate", *changes), **times)
    groups: Any = announcement({"MarketUpdate": events})
    judge = partial(as_shown, Doubts({events["provider"][0].as_py(): doubted_until}))
    return [str(judge(rows)[key]["status"]) for key, rows in groups["prices:match-1"]]


def test_what_is_told_of_an_update_from_before_a_silence_is_a_market_that_is_suspended() -> None:
    """A partition that lags behind is stored when the provider is heard again."""
    markets = update("m", 1), update("n", 1, provider="another"), update("o", 1, "closed")
    told_at = EPOCH + timedelta(minutes=1)
    times = {
        "logged_at": told_at + timedelta(hours=1),
        "appended_at": told_at,
        "taken_at": told_at + timedelta(hours=2),
    }

    assert shown(told_at, *markets, **times) == ["suspended", "open", "closed"]
    assert shown(told_at - timedelta(microseconds=1), *markets, **times) == ["open", "open", "closed"]


def test_where_the_log_does_not_tell_it_is_when_it_was_read_that_counts() -> None:
    taken_at = EPOCH + timedelta(minutes=1, microseconds=7)
    times = {"logged_at": EPOCH, "appended_at": None, "taken_at": taken_at}

    assert shown(taken_at, update("m", 1), **times) == ["suspended"]
    assert shown(taken_at - timedelta(microseconds=1), update("m", 1), **times) == ["open"]


def test_what_decides_whether_a_market_is_believed_is_not_shown() -> None:
    groups: Any = announcement({"MarketUpdate": arrived("MarketUpdate", update("m", 1))})
    ((key, rows),) = groups["prices:match-1"]

    assert rows[key].keys() - as_shown(Doubts(), rows)[key].keys() == {
        "provider", "subscription", "run", "told", "dated",
    }  # fmt: skip


@pytest.mark.parametrize("changes", [{"provider": None}, {"told": None}, {"told": "1"}, {"dated": None}])
def test_a_market_of_which_nobody_says_who_told_it_when_is_not_believed(changes: dict[str, Any]) -> None:
    groups: Any = announcement({"MarketUpdate": arrived("MarketUpdate", update("m", 1))})
    ((key, rows),) = groups["prices:match-1"]

    assert as_shown(Doubts(), rows)[key]["status"] == "open"
    assert as_shown(Doubts(), rows | {key: rows[key] | changes})[key]["status"] == "suspended"


def test_a_market_is_as_old_as_the_log_says_where_its_producer_is_ahead() -> None:
    logged_at = EPOCH + timedelta(minutes=1, milliseconds=7)
    events = replaced(
        arrived("MarketUpdate", update("m", 1)), logged_at=logged_at, occurred_at=logged_at + timedelta(minutes=10)
    )

    groups: Any = announcement({"MarketUpdate": events})
    row = groups["prices:match-1"][0][1]["m"]

    assert (row["at"], row["logged"]) == (60_007, 60_007)


def test_of_two_updates_at_one_place_it_is_left_to_the_tables_which_is_shown() -> None:
    """Two partitions, one version, one moment, one offset: the outcomes may be of both."""
    one, other = (arrived("MarketUpdate", update("m", 5, status), update("n", 1)) for status in ("open", "suspended"))

    both = pa.concat_tables([one, other.slice(0, 1)])
    later = pa.concat_tables([both, replaced(arrived("MarketUpdate", update("m", 6)), logged_offset=0)])

    assert announcement({"MarketUpdate": both})["prices:match-1"] is None
    groups: Any = announcement({"MarketUpdate": later})["prices:match-1"]
    assert [(market, rows[market]["version"]) for market, rows in groups] == [("m", 6), ("n", 1)]


@pytest.mark.parametrize(("subscription", "others"), [(None, "cricket"), ("tennis", "cricket")])
def test_what_is_told_of_an_earlier_run_is_a_market_that_is_suspended(subscription: str | None, others: str) -> None:
    runs = {"m": str(uuid4()), "n": str(uuid4())}
    told = ({**update(market, 6), "subscription": subscription, "run": run} for market, run in runs.items())
    events = replaced(arrived("MarketUpdate", *told), appended_at=LOGGED)
    groups: Any = announcement({"MarketUpdate": events})
    provider = events["provider"][0].as_py()

    def seen(of: str) -> list[str]:
        judge = partial(as_shown, Doubts(begun={(provider, of): Run(UUID(runs["n"]), (LOGGED, 9), LOGGED)}))
        return [str(judge(rows)[key]["status"]) for key, rows in groups["prices:match-1"]]

    assert seen("") == seen(subscription or "") == ["suspended", "open"]
    assert seen(others) == ["open", "open"]


def test_a_run_that_begins_has_all_prices_read_anew() -> None:
    assert announcement({"FeedBegan": arrived("FeedBegan")}) == {"prices:*": None}


def replaced(events: pa.Table, **values: datetime | int | None) -> pa.Table:
    """The events with other values in these columns, as they are in a batch."""
    for name, value in values.items():
        field = events.schema.field(name)
        plain = value.replace(tzinfo=None) if isinstance(value, datetime) else value
        column = pa.array([plain] * events.num_rows, field.type)
        events = events.set_column(events.schema.get_field_index(name), field, column)
    return events


def test_each_status_that_a_market_had_within_a_batch_is_a_hint() -> None:
    batch = (
        update("m", 1), update("m", 2, "suspended"), update("n", 8), update("m", 3, "suspended"), update("m", 4),
        update("m", 5),
    )  # fmt: skip

    groups = said(*batch)["statuses:match-1"]
    hints = [(market, rows[market]["version"], rows[market]["status"]) for market, rows in groups]

    assert hints == [
        ("m", 1, "open"), ("m", 2, "suspended"), ("m", 3, "suspended"), ("m", 4, "open"), ("m", 5, "open"),
        ("n", 8, "open"),
    ]  # fmt: skip
    assert [rows["m"]["offset"] for market, rows in groups if market == "m"] == [0, 1, 3, 4, 5]
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
