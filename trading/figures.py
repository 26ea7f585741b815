"""What of betting the operator looks at among the rolling numbers: how many bets are placed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from backoffice.metrics import selectors
from backoffice.metrics.figures import Figure, Line, in_all, register
from backoffice.metrics.selectors import HOUR, Amount

from .projections import BETS

Placed = Mapping[tuple[str, str], Amount]


def bets(now: datetime, window: timedelta = HOUR) -> dict[tuple[str, str], Amount]:
    """Bets placed, for each kind of bet and currency, free bets included."""
    return selectors.amounts(now, window, "bets")


def register_figures() -> None:
    register(
        Figure(
            "bets",
            made_of=(BETS,),
            read=bets,
            rows=lambda _: {},
            document=_document,
            line=Line("Bets, 1 h", lambda placed: in_all("placed", _by_kind(placed))),
        )
    )


def _document(placed: Placed) -> list[dict[str, Any]]:
    return [{"kind": k, "currency": c, **asdict(amount)} for (k, c), amount in sorted(placed.items())]


def _by_kind(placed: Placed) -> Counter[str]:
    kinds = Counter[str]()
    for (kind, _), amount in placed.items():
        kinds[kind] += amount.count
    return kinds
