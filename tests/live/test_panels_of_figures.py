"""The operator's figures and the platform's health as a person reads them: no two numbers are alike."""

from dataclasses import replace
from datetime import datetime, timedelta

from playwright.sync_api import Browser

from backoffice.metrics.alerts import UnsentAlert
from backoffice.metrics.differences import Differences, Open
from backoffice.metrics.live import figure_rows, health_rows
from backoffice.metrics.outbox import Outbox
from backoffice.metrics.progress import TopicProgress
from backoffice.metrics.selectors import Amount, Attempts
from backoffice.metrics.silence import Source
from backoffice.metrics.status import Health
from backoffice.streams.jobs import Job
from tests.live.fed import NOW, Fed

FIGURES = {
    "active_players": {"MT": 1_234, "SE": 56},
    "logins": Attempts(4_321, 65),
    "payments": {"acquira": Attempts(7, 3), "clearpay": Attempts(), "instabank": Attempts(1_500, 6)},
    "ggr": {
        ("table_games", "EUR"): -1_234_56, ("slots", "EUR"): 100_000_51, ("slots", "JPY"): 98_765,
        ("table_games", "JPY"): -7_654_321, ("slots", "KWD"): 1_234_567, ("table_games", "SEK"): 0,
    },
    "stakes": {
        ("slots", "EUR"): Amount(3, 37_00), ("slots", "JPY"): Amount(7, 10_500), ("sports", "KWD"): Amount(2, 24_691),
    },
}  # fmt: skip


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


MINUTE = timedelta(minutes=1)
HEALTH = Health(
    at=NOW,
    topics=(
        TopicProgress("players", "player-events", ago(65), ago(1), dead_letters=2, halted=(1, 2)),
        TopicProgress("wallet", "game-rounds", None, None, dead_letters=9, halted=(5,)),
    ),
    lag_by_topic={("players", "player-events"): 1_017, ("wallet", "game-rounds"): 23},
    sources=(
        Source("betfair", ago(8), MINUTE, watched=40, silent=12, longest=()),
        Source("simulator", ago(7_265), MINUTE, watched=1_500, silent=0, longest=()),
    ),
    events_per_second=1_234.567,
    missing_partitions=(),
    outbox=Outbox(ready=3, oldest_at=ago(90), held=4, topics=(), limit=MINUTE),
    unsent_alerts=(UnsentAlert("aml", "a-1", ago(3_600), "high", "Look here"),),
    jobs=(Job("nightly", None, ago(86_400), ago(7_200), timedelta(hours=1)),),
    differences=(Differences("ledger", Open(17, ago(120)), Open(2, ago(60))),),
    hidden_metrics=(),
    unread=(),
    as_of={
        "active_players": ago(2), "logins": ago(63), "payments": ago(124), "ggr": ago(400), "stakes": None,
        "events_per_second": ago(50),
    },
)  # fmt: skip


def test_figures_are_shown_in_the_digits_of_their_currency(browser: Browser) -> None:
    with Fed(browser, {"figures": figure_rows(FIGURES), "health": health_rows(HEALTH)}) as fed:
        fed.shows(
            "ggr",
            ["Currency", "slots", "table games"],
            ["EUR", "100,001", "−1,234.56"],
            ["JPY", "98,765", "−7,654,321"],
            ["KWD", "1,234.567", "–"],
            ["SEK", "–", "0.00"],
        )
        fed.shows(
            "stake",
            ["Currency", "slots", "sports"],
            ["EUR", "12.33", "–"],
            ["JPY", "1,500", "–"],
            ["KWD", "–", "12.346"],
        )
        fed.shows(
            "payments",
            ["Provider", "Success", "Done", "Declined"],
            ["acquira", "70.0%", "7", "3"],
            ["clearpay", "–", "0", "0"],
            ["instabank", "99.6%", "1,500", "6"],
        )
        fed.shows("active", ["Jurisdiction", "Players"], ["MT", "1,234"], ["SE", "56"])
        fed.says(players="1,290", logins_ok="4,321", logins_failed="65")

        # A new vertical has a column of its own; what was there stays under its name.
        fed.tell("figures", figure_rows({"ggr": {("live", "JPY"): 11, ("slots", "JPY"): 98_764}}))
        fed.shows(
            "ggr",
            ["Currency", "live", "slots", "table games"],
            ["EUR", "–", "100,001", "−1,234.56"],
            ["JPY", "11", "98,764", "−7,654,321"],
            ["KWD", "–", "1,234.567", "–"],
            ["SEK", "–", "–", "0.00"],
        )


# By the heading of each piece; the newest event in a figure, where that is told, and else the last reading.
AGES = {
    "Active players": "2 s old", "Logins, 1 h": "1 min 3 s old", "Failed logins, 1 h": "1 min 3 s old",
    "Active, 15 min": "2 s old", "Deposits, 1 h": "2 min 4 s old", "GGR, last hour": "stale: 6 min 40 s old",
    "Mean stake, last hour": "0 s old", "Events a second": "50 s old", "Lag, messages": "0 s old",
    "Open dead letters": "0 s old", "Halted partitions": "0 s old", "Streams": "0 s old", "Feeds": "0 s old",
    "More of the platform": "0 s old", "Last bets": "0 s old",
}  # fmt: skip
READ_AGES = """pieces => Object.fromEntries(pieces.map((piece) =>
  [piece.querySelector("h2").innerText, piece.querySelector("[data-age]").innerText]))"""


def test_each_figure_says_how_old_it_is(browser: Browser) -> None:
    with Fed(browser, {"figures": figure_rows(FIGURES), "health": health_rows(HEALTH)}) as fed:
        fed.becomes(lambda: fed.page.locator("[data-stales]:has([data-age])").evaluate_all(READ_AGES), AGES, "ages")


def test_health_and_feeds_are_shown_by_stream_and_provider(browser: Browser) -> None:
    with Fed(browser, {"health": health_rows(HEALTH)}) as fed:
        fed.says(rate="1,234.6", lag="1,040", dead_letters="11", halted="3")
        fed.shows(
            "streams",
            ["Stream", "Newest event", "Lag", "Dead letters"],
            ["players · player-events", "1 min 5 s", "1,017", "2"],
            ["wallet · game-rounds", "–", "23", "9"],
        )
        fed.shows(
            "sources",
            ["Provider", "Heard", "Silent markets"],
            ["betfair", "8 s", "12 of 40"],
            ["simulator", "2 h 1 min", "0 of 1,500"],
        )

    # Where Kafka and Postgres do not tell, nothing is made up.
    untold = replace(HEALTH, topics=(), lag_by_topic=None, unread=("topics",))
    with Fed(browser, {"health": health_rows(untold)}) as fed:
        fed.says(rate="1,234.6", lag="–", dead_letters="–", halted="–")


def test_the_rest_of_health_tells_times_and_limits_as_such(browser: Browser) -> None:
    with Fed(browser, {"health": health_rows(HEALTH)}) as fed:
        fed.shows(
            "rest",
            ["Fact", "Now"],
            ["outbox · ready", "3"],
            ["outbox · oldest at", "2 Jan, 15:29 UTC"],
            ["outbox · held", "4"],
            ["outbox · limit", "1 min 0 s"],
            ["outbox · blocked", ""],
            ["unsent alerts · aml · a-1 · kind", "aml"],
            ["unsent alerts · aml · a-1 · alert id", "a-1"],
            ["unsent alerts · aml · a-1 · raised at", "2 Jan, 14:30 UTC"],
            ["unsent alerts · aml · a-1 · severity", "high"],
            ["unsent alerts · aml · a-1 · summary", "Look here"],
            ["jobs · nightly · name", "nightly"],
            ["jobs · nightly · succeeded at", "–"],
            ["jobs · nightly · since", "1 Jan, 15:30 UTC"],
            ["jobs · nightly · due at", "2 Jan, 13:30 UTC"],
            ["jobs · nightly · limit", "1 h 0 min"],
            ["jobs · nightly · by hand", ""],
            ["differences · ledger · kind", "ledger"],
            ["differences · ledger · differences · count", "17"],
            ["differences · ledger · differences · since", "2 Jan, 15:28 UTC"],
            ["differences · ledger · warnings · count", "2"],
            ["differences · ledger · warnings · since", "2 Jan, 15:29 UTC"],
        )
