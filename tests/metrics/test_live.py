"""The platform's status as rows of a live topic, whatever fields the status has."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from backoffice.metrics.live import status_rows

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
class Status:
    """As it may be one day: with facts that nobody has thought of yet."""

    at: datetime
    events_per_second: float
    lag: dict[str, int]
    dead_letters: int
    halted: list[str]
    ggr: dict[tuple[str, str], int]
    topics: tuple[Facts, ...]
    lag_by_topic: dict[tuple[str, str], int] | None
    silent: tuple[Silent, ...]


def test_every_fact_is_a_row_and_figures_are_left_to_their_own_topic() -> None:
    status = Status(
        at=AT,
        events_per_second=200.12345,
        lag={"trading": 7},
        dead_letters=2,
        halted=["wallet: game-rounds[1]"],
        ggr={("slots", "EUR"): 5},
        topics=(Facts("players", "player-events", AT, (3,)), Facts("wallet", "game-rounds", None, ())),
        lag_by_topic={("players", "player-events"): 4},
        silent=(Silent("Match result", timedelta(seconds=90)),),
    )

    rows = status_rows(status)

    assert rows == {
        "events_per_second": {"value": 200.123},
        "lag/trading": {"value": 7},
        "dead_letters": {"value": 2},
        "halted/wallet: game-rounds[1]": {"value": "wallet: game-rounds[1]"},
        "topics/players/player-events": {
            "stream": "players", "topic": "player-events", "newest_at": 1_767_225_600_000,
        },
        "topics/players/player-events/halted/0": {"value": 3},
        "topics/wallet/game-rounds": {"stream": "wallet", "topic": "game-rounds", "newest_at": None},
        "lag_by_topic/players/player-events": {"value": 4},
        "silent/Match result": {"name": "Match result", "limit": 90.0},
    }  # fmt: skip
