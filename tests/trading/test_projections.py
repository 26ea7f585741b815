"""Bets, their settlements and the revenue that follows from them, from ten-line tables of events."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.contracts.examples import MOMENT
from backoffice.streams.store.projection import STREAMS, Effect
from tests.streams.arriving import arrived
from trading import projections as trading

BET = "01890a5d-ac96-774b-bcce-b302099a8057"
LEG = {
    "leg_no": 1, "sport": "football", "sport_event_id": "match-1", "market_id": "1x2", "outcome_id": "home",
    "odds": 1_850, "is_in_play": False,
}  # fmt: skip


def same(*names: str) -> dict[str, str]:
    return dict(zip(names, names, strict=True))


SETTLED = same("bet_id", "player_id", "brand", "jurisdiction", "currency", "settlement_no", "stake")
# The function that makes rows of an event, its record, and for each column the field that stands there.
COLUMNS: list[tuple[Callable[[pa.Table], pa.Table], str, dict[str, str]]] = [
    (trading.bets, "BetPlaced", {"id": "bet_id"} | same(
        "player_id", "brand", "jurisdiction", "currency", "stake", "potential_payout", "kind", "system_size", "channel",
        "is_in_play", "is_free_bet", "bonus_id")),
    (trading.settlements, "BetSettled", SETTLED | same("payout")),
    (trading.resettlements, "BetResettled", SETTLED | same("payout", "previous_payout", "reason")),
    (trading.voids, "BetVoided", SETTLED | same("previous_payout", "reason") | {"payout": "refund"}),
    (trading.cash_outs, "BetCashedOut", SETTLED | same("payout")),
    (trading.sport_events, "MarketUpdate",
     {"id": "sport_event_id", "name": "event_name"} | same("provider", "sport", "competition", "starts_at")),
    (trading.markets, "MarketUpdate", {"id": "market_id", "type": "market_type", "name": "market_name"} | same(
        "sport_event_id", "provider", "line", "status", "is_in_play", "bet_delay", "winners", "currency",
        "traded_volume", "version", "subscription", "run")),
    (trading.feed_runs, "FeedBegan", same("provider", "subscription") | {"run": "event_id"}),
    (trading.offers, "MarketPrice",
     same("market_id", "sport_event_id", "status", "is_in_play", "margin_ppm", "method", "version")),
    (trading.status_changes, "MarketUpdate", same(
        "market_id", "sport_event_id", "version", "status", "source_generation", "source_partition", "source_offset")),
]  # fmt: skip
# Fields of one kind differ, so that none can stand in another's place.
TOLD: dict[str, dict[str, Any]] = {
    "BetPlaced": {"stake": 2_500, "potential_payout": 4_625, "is_in_play": False, "is_free_bet": True},
    "BetSettled": {"stake": 2_500, "payout": 4_625, "settlement_no": 3},
    "BetResettled": {"stake": 2_500, "payout": 4_625, "previous_payout": 700, "settlement_no": 3},
    "BetVoided": {"stake": 2_500, "refund": 2_400, "previous_payout": 700, "settlement_no": 3},
    "BetCashedOut": {"stake": 2_500, "payout": 1_900, "settlement_no": 3},
    "MarketUpdate": {"starts_at": MOMENT + timedelta(hours=3), "bet_delay": 5, "winners": 2, "traded_volume": 12_345,
                     "version": 7, "status": "suspended"},
    "FeedBegan": {"subscription": "cricket"},
    "MarketPrice": {"version": 8, "margin_ppm": 26_315, "status": "suspended"},
}  # fmt: skip


def windows(rows: pa.Table) -> list[tuple[str, str, str, int, int]]:
    names = ("metric", "key", "currency", "count", "amount")
    return [tuple(row[name] for name in names) for row in rows.to_pylist()]


FACT = (Effect.APPEND, (), True)
OF_WINDOW = (Effect.ADD, ("count", "amount"), False)
IN_LOG = (Effect.NEWEST, ("version", "version_logged_at", "version_offset"), False)
# For each record the tables that it fills: by which key, and what happens to a row that is there.
DECLARED: dict[tuple[str, str], tuple[tuple[str, ...], tuple[Effect, tuple[str, ...], bool]]] = {
    ("BetPlaced", "trading_bet"): (("id",), FACT),
    ("BetPlaced", "trading_leg"): (("bet_id", "leg_no"), (Effect.APPEND, (), False)),
    ("BetPlaced", "metrics_activity"): (
        ("player_id", "topic"), (Effect.NEWEST, ("minute", "brand", "jurisdiction"), False)),
    **{(record, "trading_settlement"): (("event_id",), FACT)
       for record in ("BetSettled", "BetResettled", "BetVoided", "BetCashedOut")},
    **{(record, "metrics_window"): (("metric", "minute", "key", "currency", "topic", "partition"), OF_WINDOW)
       for record in ("BetPlaced", "BetSettled", "BetResettled", "BetVoided", "BetCashedOut", "MarketUpdate",
                      "FeedBegan")},
    ("MarketUpdate", "trading_sportevent"): (
        ("id",), (Effect.NEWEST, ("seen_logged_at", "seen_offset"), False)),
    ("MarketUpdate", "trading_statuschange"): (
        ("market_id", "version", "version_logged_at", "version_offset"), (Effect.ONCE, (), False)),
    ("MarketUpdate", "trading_market"): (("id",), IN_LOG),
    ("MarketUpdate", "trading_outcome"): (("market_id", "outcome_id"), IN_LOG),
    ("FeedBegan", "trading_feedrun"): (
        ("provider", "subscription"), (Effect.NEWEST, ("began_logged_at", "began_offset"), False)),
    ("MarketPrice", "trading_offer"): (("market_id",), IN_LOG),
    ("MarketPrice", "trading_price"): (("market_id", "outcome_id"), IN_LOG),
}  # fmt: skip


def test_which_rows_meet_and_which_of_them_stays() -> None:
    declared = [(p.record, p.table, p.key, (p.effect, p.by, p.fact)) for p in trading.trading.projections]

    assert {(record, table) for record, table, *_ in declared} == DECLARED.keys()
    for record, table, *merging in declared:
        assert tuple(merging) == DECLARED[record, table], (record, table)
    assert STREAMS["trading"] is trading.trading
    windows_of = Counter(p.record for p in trading.trading.projections if p.table == "metrics_window")
    assert windows_of == {
        "BetPlaced": 3, "BetSettled": 2, "BetResettled": 2, "BetVoided": 2, "BetCashedOut": 2, "MarketUpdate": 1,
        "FeedBegan": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("function", "record", "columns"), COLUMNS, ids=lambda case: getattr(case, "__name__", ""))
def test_each_field_stands_in_its_column(
    function: Callable[[pa.Table], pa.Table], record: str, columns: dict[str, str]
) -> None:
    events = arrived(record, TOLD[record])

    rows = function(events)

    (event,), (row,) = events.to_pylist(), rows.to_pylist()
    assert {name: row[name] for name in columns} == {name: event[field] for name, field in columns.items()}


@pytest.mark.parametrize(
    ("function", "record", "name"),
    [
        (trading.sport_events, "MarketUpdate", "seen"),
        (trading.markets, "MarketUpdate", "version"),
        (trading.outcomes, "MarketUpdate", "version"),
        (trading.status_changes, "MarketUpdate", "version"),
        (trading.feed_runs, "FeedBegan", "began"),
        (trading.offers, "MarketPrice", "version"),
        (trading.prices, "MarketPrice", "version"),
    ],
)
def test_a_state_says_when_it_was_told_and_where_it_stands_in_the_log(
    function: Callable[[pa.Table], pa.Table], record: str, name: str
) -> None:
    another = {"provider": "another"} if record == "FeedBegan" else {"market_id": "another", "status": "suspended"}
    events = arrived(record, {}, another)

    rows = function(events)

    told = {"at": "occurred_at", "logged_at": "logged_at", "offset": "logged_offset"}
    for column, field in told.items():
        assert set(rows[f"{name}_{column}"].to_pylist()) == set(events[field].to_pylist())
    assert not {*told.values()} & {*rows.column_names}


def test_a_bet_is_stored_under_its_own_id() -> None:
    (row,) = trading.bets(arrived("BetPlaced", {"bet_id": BET, "stake": 2_500, "is_free_bet": False})).to_pylist()

    assert (row["id"], row["stake"], row["is_free_bet"]) == (UUID(BET).bytes, 2_500, False)


def test_each_leg_is_a_row_of_its_bet() -> None:
    events = arrived(
        "BetPlaced", {"bet_id": BET, "legs": [LEG, LEG | {"leg_no": 2, "market_id": "totals", "odds": 2_100}]}
    )

    rows = trading.legs(events).to_pylist()

    assert rows == [LEG | {"bet_id": UUID(BET).bytes}, rows[1]]
    assert [(row["leg_no"], row["market_id"], row["odds"]) for row in rows] == [(1, "1x2", 1_850), (2, "totals", 2_100)]


THIRD = {"dead_heat_factor": 333, "dead_heat_places": 1, "dead_heat_tied": 3}
WHOLE = {"dead_heat_factor": 1_000, "dead_heat_places": None, "dead_heat_tied": None}
RESULTS = [
    {"leg_no": 1, "result": "won", "void_factor": 0, "dead_heat_factor": 1_000},
    {"leg_no": 2, "result": "void", "void_factor": 1_000, "dead_heat_factor": 500},
]


@pytest.mark.parametrize("record", ["BetSettled", "BetResettled"])
def test_the_results_of_the_legs_are_arrays_in_their_order(record: str) -> None:
    function = {"BetSettled": trading.settlements, "BetResettled": trading.resettlements}[record]
    events = arrived(record, {"legs": RESULTS}, {"legs": []}, {"legs": RESULTS[1:]})

    rows = function(events).to_pylist()

    assert [row["legs"] for row in rows] == [[1, 2], [], [2]]
    assert [row["results"] for row in rows] == [["won", "void"], [], ["void"]]
    assert [row["void_factors"] for row in rows] == [[0, 1_000], [], [1_000]]
    assert [row["dead_heat_factors"] for row in rows] == [[1_000, 500], [], [500]]
    assert {row["dead_heat_places"] for row in rows} == {row["dead_heat_tied"] for row in rows} == {None}


@pytest.mark.parametrize("function", [trading.settlements, trading.resettlements])
def test_a_dead_heat_is_told_by_those_who_tied(function: Any) -> None:
    record = {trading.settlements: "BetSettled", trading.resettlements: "BetResettled"}[function]
    lists: list[list[dict[str, Any]]] = [[WHOLE], [THIRD, WHOLE], [WHOLE, WHOLE], [WHOLE, WHOLE, THIRD], [THIRD]]
    told = (
        [{"leg_no": number, "result": "won", "void_factor": 0} | leg for number, leg in enumerate(legs, 1)]
        for legs in lists
    )
    events = arrived(record, *({"legs": legs} for legs in told))

    rows = function(events).to_pylist()
    later = function(events.slice(2)).to_pylist()

    assert [row["dead_heat_tied"] for row in rows] == [None, [3, None], None, [None, None, 3], [3]]
    assert [row["dead_heat_places"] for row in rows] == [None, [1, None], None, [None, None, 1], [1]]
    assert [row["dead_heat_tied"] for row in later] == [None, [None, None, 3], [3]]


def test_the_results_of_a_slice_are_its_own() -> None:
    events = arrived("BetSettled", {"legs": RESULTS}, {"legs": RESULTS[1:]}, {"legs": RESULTS[:1]})

    assert trading.settlements(events.slice(1))["results"].to_pylist() == [["void"], ["won"]]


@pytest.mark.parametrize(
    ("record", "function", "change", "payouts"),
    [
        ("BetSettled", trading.settlements, {"payout": 4_625}, (4_625, 0)),
        ("BetCashedOut", trading.cash_outs, {"payout": 1_900}, (1_900, 0)),
        ("BetVoided", trading.voids, {"refund": 2_500, "previous_payout": 4_625}, (2_500, 4_625)),
        ("BetResettled", trading.resettlements, {"payout": 0, "previous_payout": 4_625}, (0, 4_625)),
    ],
)
def test_a_settlement_says_what_the_player_has_got_now_and_before(
    record: str, function: Any, change: dict[str, Any], payouts: tuple[int, int]
) -> None:
    (row,) = function(arrived(record, change | {"stake": 2_500, "settlement_no": 3})).to_pylist()

    assert (row["payout"], row["previous_payout"]) == payouts
    assert (row["stake"], row["settlement_no"]) == (2_500, 3)


@pytest.mark.parametrize(
    ("record", "change", "ggr"),
    [
        ("BetSettled", {"payout": 0, "is_free_bet": False}, 2_500),
        ("BetSettled", {"payout": 4_625, "is_free_bet": False}, -2_125),
        ("BetSettled", {"payout": 0, "is_free_bet": True}, 0),
        ("BetSettled", {"payout": 2_125, "is_free_bet": True}, -2_125),
        ("BetCashedOut", {"payout": 1_900, "is_free_bet": False}, 600),
        ("BetCashedOut", {"payout": 1_900, "is_free_bet": True}, -1_900),
        ("BetVoided", {"refund": 2_500, "was_settled": False, "previous_payout": 0, "is_free_bet": False}, 0),
        ("BetVoided", {"refund": 2_500, "was_settled": True, "previous_payout": 0, "is_free_bet": False}, -2_500),
        ("BetVoided", {"refund": 2_500, "was_settled": True, "previous_payout": 4_625, "is_free_bet": False}, 2_125),
        ("BetVoided", {"refund": 0, "was_settled": True, "previous_payout": 2_125, "is_free_bet": True}, 2_125),
        ("BetResettled", {"payout": 4_625, "previous_payout": 0}, -4_625),
        ("BetResettled", {"payout": 0, "previous_payout": 4_625}, 4_625),
        ("BetResettled", {"payout": 700, "previous_payout": 700}, 0),
    ],
)
def test_ggr_is_what_the_step_changes_for_the_house(record: str, change: dict[str, Any], ggr: int) -> None:
    rows = trading.bet_revenue(arrived(record, change | {"stake": 2_500, "currency": "SEK"}))

    assert windows(rows) == [(metric, "sports", "SEK", 1, ggr) for metric in ("ggr", "ggr_hour", "ggr_day")]


@pytest.mark.parametrize("is_free", [False, True])
@pytest.mark.parametrize("payout", [0, 4_625])
def test_a_bet_that_is_settled_and_voided_earned_nothing(is_free: bool, payout: int) -> None:
    settled = arrived("BetSettled", {"stake": 2_500, "payout": payout, "is_free_bet": is_free})
    voided = arrived(
        "BetVoided", {"stake": 2_500, "previous_payout": payout, "was_settled": True, "is_free_bet": is_free}
    )

    steps = [*windows(trading.bet_revenue(settled)), *windows(trading.bet_revenue(voided))]

    assert sum(amount for *_, amount in steps) == 0


def test_stakes_count_real_money_only_and_bets_count_all() -> None:
    events = arrived(
        "BetPlaced",
        {"stake": 100, "is_free_bet": False, "kind": "single"},
        {"stake": 20, "is_free_bet": True, "kind": "system"},
    )

    assert windows(trading.bet_stakes(events)) == [("stakes", "sports", "EUR", 1, 100)]
    assert windows(trading.bet_window(events)) == [("bets", "single", "EUR", 1, 100), ("bets", "system", "EUR", 1, 20)]


def test_a_market_update_describes_event_market_and_outcomes() -> None:
    events = arrived("MarketUpdate", {"market_id": "1x2", "version": 7, "status": "suspended", "market_type": "1x2"})

    (event,) = trading.sport_events(events).to_pylist()
    (market,) = trading.markets(events).to_pylist()
    outcomes = trading.outcomes(events).to_pylist()

    assert event["seen_at"] == market["version_at"].replace(tzinfo=None) == MOMENT.replace(tzinfo=None)
    assert (market["id"], market["version"], market["status"], market["type"]) == ("1x2", 7, "suspended", "1x2")
    assert [(row["market_id"], row["version"]) for row in outcomes] == [("1x2", 7)] * 2
    assert outcomes[1]["back_odds"] is None


def test_prices_are_the_offer_and_one_row_for_each_outcome() -> None:
    prices = [
        {"outcome_id": name, "odds": odds, "probability_ppm": 500_000} for name, odds in (("h", 1_900), ("a", 2_000))
    ]
    events = arrived("MarketPrice", {"market_id": "1x2", "version": 8, "margin_ppm": 26_315, "prices": prices})

    (offer,) = trading.offers(events).to_pylist()
    rows = trading.prices(events).to_pylist()

    assert (offer["market_id"], offer["version"], offer["margin_ppm"]) == ("1x2", 8, 26_315)
    assert [(row["market_id"], row["outcome_id"], row["odds"]) for row in rows] == [
        ("1x2", "h", 1_900),
        ("1x2", "a", 2_000),
    ]
    assert [row["version"] for row in rows] == [8, 8]
    assert rows[1]["version_offset"] == offer["version_offset"] == events["source_offset"].to_pylist()[0]


STATES = st.lists(
    st.tuples(st.sampled_from(["1x2", "totals"]), st.integers(1, 6), st.sampled_from(["open", "suspended", "closed"])),
    max_size=10,
    unique_by=lambda told: told[:2],
)


@given(STATES)
def test_of_each_run_of_one_status_the_first_and_the_last_update_may_be_a_change(
    states: list[tuple[str, int, str]],
) -> None:
    """In the order of the versions, whatever order they came in; what came twice is told from the log's place."""
    if not states:
        assert trading.status_changes(arrived("MarketUpdate").slice(0, 0)).num_rows == 0
        return
    events = arrived(
        "MarketUpdate", *({"market_id": name, "version": n, "status": status} for name, n, status in states)
    )

    rows = trading.status_changes(events).to_pylist()

    expected = []
    for _, run in groupby(sorted(states), key=lambda told: (told[0], told[2])):
        versions = list(run)
        expected += versions[:1] + versions[1:][-1:]
    assert [(row["market_id"], row["version"], row["status"]) for row in rows] == expected


def test_of_one_version_told_twice_each_counts_in_the_order_of_the_log() -> None:
    again = {"market_id": "1x2", "version": 5, "status": "open"}
    events = arrived("MarketUpdate", again, again, again)

    for order in ([0, 1, 2], [2, 1, 0]):
        rows = trading.status_changes(events.take(order)).to_pylist()
        assert [row["version_offset"] for row in rows] == [0, 2]


def test_of_several_updates_at_one_place_the_one_counts_that_the_market_takes() -> None:
    """They are of several partitions, and one partition's comes last in the batch."""
    told = [arrived("MarketUpdate", {"version": 5, "status": status}) for status in ("open", "suspended", "closed")]

    (row,) = trading.status_changes(pa.concat_tables(told)).to_pylist()

    assert row["status"] == "closed"


def test_where_bets_stand_in_the_windows() -> None:
    events = arrived("BetPlaced", {"stake": 100, "is_free_bet": False, "kind": "single"}, partition=3)

    for rows in (trading.bet_stakes(events), trading.bet_window(events)):
        assert [(row["topic"], row["partition"]) for row in rows.to_pylist()] == [("bet-events", 3)]
    for row in trading.bet_revenue(arrived("BetSettled", partition=2)).to_pylist():
        assert (row["topic"], row["partition"]) == ("bet-events", 2)


def test_every_event_is_counted_but_those_of_a_log_that_forgets() -> None:
    counted = {
        row["key"]: row["topic"]
        for projection in trading.trading.projections
        if projection.table == "metrics_window" and projection.record != "MarketPrice"
        for row in projection.columns(arrived(projection.record)).to_pylist()
        if row["metric"] == "events"
    }

    assert counted == dict.fromkeys(
        ("BetPlaced", "BetSettled", "BetResettled", "BetVoided", "BetCashedOut"), "bet-events"
    ) | dict.fromkeys(("MarketUpdate", "FeedBegan"), "odds-feed")
    assert not [p for p in trading.trading.of("MarketPrice") if p.table == "metrics_window"]


def test_a_tombstone_of_a_market_takes_its_offer_and_its_prices() -> None:
    (deletion,) = trading.trading.deletions

    assert (deletion.topic, deletion.by, deletion.tables) == (
        "market-prices", "market_id", ("trading_offer", "trading_price"),
    )  # fmt: skip


def test_of_updates_and_prices_no_row_is_kept_for_each() -> None:
    assert [trading.trading.fact_of(record) for record in ("MarketUpdate", "MarketPrice")] == [None, None]
    assert trading.trading.fact_of("BetPlaced") is not None


def test_a_bet_says_that_its_player_is_there() -> None:
    (activity,) = [p for p in trading.trading.of("BetPlaced") if p.table == "metrics_activity"]

    (row,) = activity.columns(arrived("BetPlaced", {"player_id": BET})).to_pylist()

    assert (row["player_id"], row["topic"]) == (UUID(BET).bytes, "bet-events")
