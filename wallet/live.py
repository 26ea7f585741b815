"""What of the wallet stands on the live page."""

from backoffice.live import panels
from backoffice.live.panels import Panel, Piece


def register_panels() -> None:
    pieces = Piece("side", 20, "wallet/revenue.html"), Piece("side", 40, "wallet/payments.html")
    panels.register(Panel("turnover", "figures", "wallet/figures.js", pieces))
