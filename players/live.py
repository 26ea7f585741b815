"""What of players stands on the live page."""

from backoffice.live import panels
from backoffice.live.panels import Panel, Piece


def register_panels() -> None:
    pieces = Piece("tiles", 20, "players/tiles.html"), Piece("side", 50, "players/active.html")
    panels.register(Panel("players", "figures", "players/figures.js", pieces))
