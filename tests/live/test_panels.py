"""Every number of the panels as a person reads it: no two are alike, so that none can stand in another's place."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Browser

from backoffice.kernel.clock import milliseconds
from backoffice.live.board import Row, Rows
from tests.live.fed import NOW, Fed
from trading.journal import PlacedBet, Status
from trading.live import _bet_row, _status_row, market_rows
from trading.selectors import MarketState, Quote

BET = PlacedBet(
    id="a", occurred_at=NOW, brand="Casa", jurisdiction="MT", kind="single", currency="EUR", stake=12_34,
    potential_payout=30_85, is_in_play=True, is_free_bet=False, legs=1, odds=2_500, event="Home v Away",
    market="Match Odds", selection="Home",
)  # fmt: skip
BETS = (
    BET,
    replace(
        BET, id="b", occurred_at=NOW - timedelta(seconds=1), brand="Norden", jurisdiction="SE", currency="JPY",
        stake=1_500, potential_payout=4_567_890, is_in_play=False, odds=3_045_260, selection="",
    ),
    replace(
        BET, id="c", occurred_at=NOW - timedelta(hours=3), currency="KWD", stake=12_345, potential_payout=26_233,
        odds=2_125, is_free_bet=True, selection="Away",
    ),
    replace(
        BET, id="d", occurred_at=NOW - timedelta(hours=4), kind="lucky_15", currency="SEK", stake=5,
        potential_payout=1_000_000_07, legs=4, odds=None, is_free_bet=True,
    ),
    replace(
        BET, id="e", occurred_at=NOW - timedelta(hours=5), kind="multiple", stake=7_00, potential_payout=77_70,
        legs=3, odds=11_100, is_in_play=False,
    ),
    replace(BET, id="f", occurred_at=NOW - timedelta(hours=6), stake=8_00, event="", market="", selection=""),
)  # fmt: skip
BETS_SHOWN = [
    ["UTC", "Selection", "Play", "Odds", "Stake", "Cur.", "To return", "Brand"],
    ["15:30:45", "Home · Match Odds · Home v Away", "in play", "2.50", "12.34", "EUR", "30.85", "Casa MT"],
    ["15:30:44", "Match Odds · Home v Away", "", "3045.26", "1,500", "JPY", "4,567,890", "Norden SE"],
    ["12:30:45", "free: Away · Match Odds · Home v Away", "in play", "2.125", "12.345", "KWD", "26.233", "Casa MT"],
    ["11:30:45", "free: lucky 15 of 4 legs", "in play", "–", "0.05", "SEK", "1,000,000.07", "Casa MT"],
    ["10:30:45", "multiple of 3 legs", "", "11.10", "7.00", "EUR", "77.70", "Casa MT"],
    ["09:30:45", "single", "in play", "2.50", "8.00", "EUR", "30.85", "Casa MT"],
]


def total(count: int) -> Row:
    return {"count": count, "skipped": 0, "since": milliseconds(NOW - timedelta(minutes=5))}


def test_the_ticker_shows_each_bet_as_it_was_placed(browser: Browser) -> None:
    # In the order of their ids, which is not that of time.
    placed = {bet.id: _bet_row(bet) for bet in sorted(BETS, key=lambda bet: bet.stake)}
    with Fed(browser, {"ticker": placed | {"total": total(40)}}) as fed:
        fed.shows("bets", *BETS_SHOWN)
        hints = fed.page.locator("#bets tbody tr").evaluate_all(
            "lines => lines.map((l) => [...l.cells].map((c) => c.title))"
        )
        assert hints == [["", line[1], "", "", "", "", "", line[7]] for line in BETS_SHOWN[1:]]

        # Two of three are not told; one that was told changes no other.
        late = replace(BET, id="g", occurred_at=NOW - timedelta(hours=7), stake=9_00, odds=1_010)
        fed.tell("ticker", {"g": _bet_row(late), "total": total(43)}, drop=["f"])
        shown = ["08:30:45", BETS_SHOWN[1][1], "in play", "1.01", "9.00", "EUR", "30.85", "Casa MT"]
        fed.shows("bets", *BETS_SHOWN[:-1], shown)
        fed.says(bets_missed="2 more not shown since 15:25:45")

        fed.page.get_by_role("button", name="Pause").click()
        fed.tell("ticker", {"f": placed["f"], "total": total(44)})
        fed.says(pause_bets="Go on (1 new)")
        fed.shows("bets", *BETS_SHOWN[:-1], shown)
        fed.page.get_by_role("button", name="Go on").click()
        fed.says(pause_bets="Pause")
        fed.shows("bets", *BETS_SHOWN, shown)


EVENT = "e/1"
MARKET = MarketState(
    id="m/1", name="To win", type="win", line=None, status="open", is_in_play=True, bet_delay=5, currency="EUR",
    traded_volume=12_345_678_90, version=9, version_at=NOW - timedelta(seconds=7), version_logged_at=NOW,
    version_offset=3,
    quotes=(
        Quote("2", "1. First", "active", 2_500, 1_234_56, 2_520, 77_00, 2_510),
        Quote("10", "2. Gone", "removed", 3_125, 2_00, 4_000, 3_00, 3_500),
        Quote("11", "3. Bare", "active", None, None, 1_000_000, 9_876_543_00, None),
    ),
)  # fmt: skip
OTHERS = (
    replace(
        MARKET, id="m/2", name="Total", line="2.5", currency="JPY", traded_volume=98_765, is_in_play=False,
        version_at=NOW - timedelta(seconds=71), quotes=(Quote("1", "Over", "active", 1_950, 4_321, 1_960, 555, 1_955),),
    ),
    replace(MARKET, id="m/3", name="Dinars", currency="KWD", traded_volume=None, quotes=(
        Quote("1", "Only", "active", 1_010, 65_432_100, 1_020, 7_000, 1_015),
    )),
)  # fmt: skip
FEATURED: Row = {
    "event": EVENT, "market": "m/1", "name": "R5 1200m Maiden", "competition": "Lismore", "sport": "horse_racing",
    "provider": "betfair", "starts_at": milliseconds(datetime(2026, 1, 3, 9, 5, tzinfo=UTC)), "real": True,
}  # fmt: skip
HEADS = ["Runner", "Size", "Back", "Lay", "Size", "Last"]
RUNNERS = [
    HEADS,
    ["1. First", "1,235", "2.50", "2.52", "77", "2.51"],
    ["2. Gone (removed)", "2", "3.125", "4.00", "3", "3.50"],
    ["3. Bare", "–", "–", "1000.00", "9,876,543", "–"],
]
ON, OFF = [""] * 6, ["", "off", "off", "off", "off", ""]


def took(*statuses: tuple[str, str, int]) -> Rows:
    """Statuses as markets took them so many seconds ago."""
    found = [
        Status(number, market, status, number, NOW - timedelta(seconds=ago), is_late=False)
        for number, (market, status, ago) in enumerate(statuses)
    ]
    return {str(status.id): _status_row(status) for status in found}


def fed_with_markets(browser: Browser) -> Fed:
    # Runners come in no order.
    prices: Rows = {}
    for market in (*OTHERS, MARKET):
        prices |= dict(reversed(market_rows(market).items()))
    statuses = took(("m/1", "suspended", 50), ("m/2", "suspended", 40), ("m/1", "open", 30), ("m/1", "suspended", 20))
    return Fed(
        browser,
        {
            "featured": {"market": FEATURED},
            f"prices:{EVENT}": prices,
            f"statuses:{EVENT}": statuses | {"total": total(4)},
        },
    )


def test_the_market_shows_its_prices_and_sizes_and_of_whom_they_are(browser: Browser) -> None:
    with fed_with_markets(browser) as fed:
        fed.shows("runners", *RUNNERS)
        assert fed.states("runners") == [ON, OFF, ON]
        fed.says(
            match_name="R5 1200m Maiden", match_of="horse racing · Lismore · 3 Jan, 09:05 UTC",
            match_source="real · betfair", market_status="● OPEN", market_play="in play · 5 s delay",
            market_traded="12,345,678.90", market_currency="EUR", market_suspensions="2, last 15:30:25",
            market_age="updated 7 s ago",
        )  # fmt: skip
        assert fed.page.locator("#market-picker option").all_inner_texts() == ["To win", "Total 2.5", "Dinars"]

        shut = replace(
            MARKET, status="suspended", quotes=(replace(MARKET.quotes[0], back_odds=2_480, last_odds=2_490),)
        )
        fed.tell(f"prices:{EVENT}", market_rows(shut))
        fed.says(market_status="■ SUSPENDED")
        fed.shows("runners", HEADS, ["1. First", "1,235", "2.48", "2.52", "77", "2.49"], *RUNNERS[2:])
        assert fed.states("runners") == [OFF] * 3


def test_a_market_that_is_picked_is_shown_in_its_own_currency(browser: Browser) -> None:
    with fed_with_markets(browser) as fed:
        fed.shows("runners", *RUNNERS)
        fed.page.locator("#market-picker").select_option("Total 2.5")
        fed.shows("runners", HEADS, ["Over", "4,321", "1.95", "1.96", "555", "1.955"])
        fed.says(
            market_play="pre-match", market_traded="98,765", market_currency="JPY",
            market_suspensions="1, last 15:30:05", market_age="updated 1 min 11 s ago",
        )  # fmt: skip
        fed.page.locator("#market-picker").select_option("Dinars")
        fed.shows("runners", HEADS, ["Only", "65,432", "1.01", "1.02", "7", "1.015"])
        fed.says(market_traded="–", market_currency="KWD", market_suspensions="none seen")
