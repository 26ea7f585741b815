"""What of players the operator looks at: who is there, and who gets in."""

from collections.abc import Mapping
from dataclasses import asdict

from backoffice.live.board import Rows
from backoffice.live.keys import key_of
from backoffice.metrics.figures import Figure, Line, attempts_row, in_all, register, share
from backoffice.metrics.selectors import Attempts, active_players_by_jurisdiction

from .selectors import logins


def register_figures() -> None:
    register(
        Figure(
            "active_players",
            made_of=("bet-events", "game-rounds", "player-events", "wallet-transactions"),
            read=active_players_by_jurisdiction,
            rows=_active_rows,
            document=dict,
            line=Line("Active, 15 min", lambda active: in_all("players", active)),
            brief=lambda active: f"active players {sum(active.values()):,}",
        ),
        Figure(
            "logins",
            made_of=("player-events",),
            read=logins,
            rows=_login_rows,
            document=asdict,
            line=Line("Logins, 1 h", share),
        ),
    )


def _active_rows(active: Mapping[str, int]) -> Rows:
    return {key_of("active", jurisdiction): {"players": players} for jurisdiction, players in active.items()}


def _login_rows(found: Attempts) -> Rows:
    return {"logins": attempts_row(found)}
