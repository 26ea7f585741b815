"""The platform's status as rows of a live topic, whatever fields the status has."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backoffice.metrics import live
from backoffice.metrics.figures import FIGURES
from backoffice.metrics.live import figure_rows, health_rows
from backoffice.metrics.selectors import Amount, Attempts
from backoffice.streams.clocks import PostgresClock

AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Silent:
    name: str
    limit: timedelta


@dataclass(frozen=True)
class Facts:
    stream: str
    topic: str
    newest_at: datetime | None
    halted: tuple[int, ...]


@dataclass(frozen=True)
class Health:
    """As it may be one day: with facts that nobody has thought of yet."""

    at: datetime
    events_per_second: float
    lag: dict[str, int]
    dead_letters: int
    halted: list[str]
    diverted: list[str]
    stalled: list[str]
    skipped: list[str]
    topics: tuple[Facts, ...]
    lag_by_topic: dict[tuple[str, str], int] | None
    silent: tuple[Silent, ...]
    unread: tuple[str, ...] = ()


def test_every_fact_is_a_row_and_figures_are_left_to_their_own_topic() -> None:
    health = Health(
        at=AT,
        events_per_second=200.12345,
        lag={"trading": 7},
        dead_letters=2,
        halted=["wallet: game-rounds[1]"],
        diverted=[],
        stalled=["players: player-events"],
        skipped=["wallet: game-rounds lacks 3 messages"],
        topics=(Facts("players", "player-events", AT, (3,)), Facts("wallet", "game-rounds", None, ())),
        lag_by_topic={("players", "player-events"): 4},
        silent=(Silent("Match result", timedelta(seconds=90)),),
    )

    rows = health_rows(health)

    assert rows == {
        "events_per_second": {"value": 200.123},
        "lag/trading": {"value": 7},
        "dead_letters": {"value": 2},
        "halted/wallet: game-rounds[1]": {"value": "wallet: game-rounds[1]"},
        "stalled/players: player-events": {"value": "players: player-events"},
        "skipped/wallet: game-rounds lacks 3 messages": {"value": "wallet: game-rounds lacks 3 messages"},
        "topics/players/player-events": {
            "stream": "players", "topic": "player-events", "newest_at": 1_767_225_600_000,
        },
        "topics/players/player-events/halted/0": {"value": 3},
        "topics/wallet/game-rounds": {"stream": "wallet", "topic": "game-rounds", "newest_at": None},
        "lag_by_topic/players/player-events": {"value": 4},
        "silent/Match result": {"name": "Match result", "limit": 90.0},
    }  # fmt: skip


def test_facts_whose_names_hold_what_parts_are_joined_by_are_told_apart_and_so_are_namesakes() -> None:
    minute = timedelta(minutes=1)
    health = Health(
        at=AT, events_per_second=1.0, lag={"a/b": 1, "a%2Fb": 2}, dead_letters=0, halted=[], diverted=[], stalled=[],
        skipped=[], topics=(), lag_by_topic={("a", "b"): 3, ("a/b", ""): 4},
        silent=(Silent("Total", minute), Silent("Total", 2 * minute), Silent("a/b", minute)),
    )  # fmt: skip

    rows = health_rows(health)

    assert [rows[key]["value"] for key in ("lag/a%2Fb", "lag/a%252Fb")] == [1, 2]
    assert [rows[key]["value"] for key in ("lag_by_topic/a/b", "lag_by_topic/a%2Fb/")] == [3, 4]
    assert [rows[key]["limit"] for key in ("silent/Total/0", "silent/Total/1", "silent/a%2Fb")] == [60.0, 120.0, 60.0]


def test_each_figure_has_the_rows_that_its_app_gives_it() -> None:
    rows = figure_rows(
        {
            "active_players": {"MT": 3},
            "logins": Attempts(3, 1),
            "payments": {"clearpay": Attempts(), "purse/2": Attempts(1, 2)},
            "ggr": {("slots", "EUR"): -5},
            "stakes": {("slots", "EUR"): Amount(2, 5), ("live", "EUR"): Amount(0, 0)},
            "bets": {("single", "EUR"): Amount(1, 5)},
        }
    )

    assert rows == {
        "active/MT": {"players": 3},
        "logins": {"succeeded": 3, "failed": 1, "rate": 0.75},
        "payments/clearpay": {"succeeded": 0, "failed": 0, "rate": None},
        "payments/purse%2F2": {"succeeded": 1, "failed": 2, "rate": 0.3333},
        "ggr/slots/EUR": {"amount": -5},
        "stake/slots/EUR": {"mean": 3, "count": 2, "amount": 5},
    }


@pytest.mark.usefixtures("house")
def test_no_number_is_read_twice_by_those_who_watch_health_and_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PostgresClock, "now", lambda _: AT)
    with CaptureQueriesContext(connection) as queries:
        live.health("")
        live.figures("")

    asked = Counter(query["sql"] for query in queries)
    numbers = [sql for sql in asked if 'FROM "metrics_window"' in sql or "FROM metrics_activity" in sql]
    assert len(numbers) == len(FIGURES) + 1
    assert [sql for sql, times in asked.items() if times > 1 and not sql.startswith("SELECT set_config")] == []
