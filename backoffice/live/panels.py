"""The parts of the live page. The platform has the shell; apps register what stands in it in ``AppConfig.ready()``:

    register(Panel("ticker", "ticker", "trading/ticker.js", (Piece("main", 20, "trading/ticker.html"),)))

A piece is a template within an area of the page; the lower its place, the higher up. The module exports
``panel(root, page)``, which fills the pieces and watches what it needs (static/live/page.js).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Area = Literal["tiles", "main", "side"]
AREAS: tuple[Area, ...] = ("tiles", "main", "side")


@dataclass(frozen=True)
class Piece:
    area: Area
    place: int
    template: str


@dataclass(frozen=True)
class Panel:
    """Shown to those who may see its publication. ``module`` and ``style`` are static files."""

    name: str
    publication: str
    module: str
    pieces: tuple[Piece, ...]
    style: str = ""


PANELS: dict[str, Panel] = {}


def register(panel: Panel) -> None:
    PANELS[panel.name] = panel


def laid_out(panels: Iterable[Panel]) -> dict[Area, list[str]]:
    """The templates of each area, from top to bottom."""
    pieces = sorted((piece for panel in panels for piece in panel.pieces), key=lambda piece: piece.place)
    return {area: [piece.template for piece in pieces if piece.area == area] for area in AREAS}
