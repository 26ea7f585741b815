"""What is offered on a fixture at a moment, and what became of it in the end."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backoffice.simulator.sport.board import Flags, Floats, Ints
from trading.domain.legs import Result

Codes = NDArray[np.uint8]

# The closed lists of the contracts; arrays hold places in them.
STATUSES = ("open", "suspended", "closed", "settled", "cancelled")
OPEN, SUSPENDED, CLOSED, SETTLED, CANCELLED = range(5)
RESULTS: tuple[Result, ...] = ("lost", "won", "void")
LOST, WON, VOID = range(3)


@dataclass(frozen=True, slots=True)
class Quotes:
    """The outcomes that can still happen, of markets that are not decided; all arrays have one entry for each.

    ``row`` counts the outcomes of the whole fixture, ``outcome`` those of the market. ``chance`` is fair: the share of
    the decided part of a stake that wins, so that odds of 1 / chance are worth exactly the stake. Bets are taken where
    ``status`` is OPEN.
    """

    row: Ints
    market: Ints
    outcome: Ints
    chance: Floats
    odds: Ints
    status: Codes
    is_in_play: bool


class Results(NamedTuple):
    """``known_at`` and ``is_cancelled`` for each market; for each row the result (a place in RESULTS) and both factors
    in thousandths, as BetSettled has them. In a dead heat ``places`` are shared by those who ``tied``; else both are 0.
    """

    known_at: Ints
    is_cancelled: Flags
    result: Codes
    void_factor: Ints
    dead_heat_factor: Ints
    places: Ints
    tied: Ints


_NO_INTS: Ints = np.empty(0, dtype=np.int64)
_NO_CODES: Codes = np.empty(0, dtype=np.uint8)

NOTHING = Quotes(_NO_INTS, _NO_INTS, _NO_INTS, np.empty(0), _NO_INTS, _NO_CODES, is_in_play=False)
