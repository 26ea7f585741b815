"""What football outcomes pay at a score: quarter lines are halves of their neighbours, and somebody always wins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.simulator.sport import payoffs
from backoffice.simulator.sport.board import Shares
from backoffice.simulator.sport.football_board import HALVES, MATCH, QUARTERS, Period, Sides, scored_offers

lines = st.integers(-16, 16).map(lambda quarters: quarters / 4)
goals = st.integers(0, payoffs.GRID - 2)


@settings(deadline=None)
@given(line=lines, home=goals, away=goals)
def test_an_asian_handicap_pays_by_the_lead(line: float, home: int, away: int) -> None:
    payoff = payoffs.asian_handicap(line)

    by_hand = [side_of(home - away + line + step) for step in ((-0.25, 0.25) if line * 4 % 2 else (0, 0))]
    assert payoff.win[0, home, away] == sum(result == "won" for result in by_hand) / 2
    assert payoff.void[0, home, away] == sum(result == "void" for result in by_hand) / 2


def side_of(lead: float) -> str:
    return "won" if lead > 0 else "void" if lead == 0 else "lost"


@settings(deadline=None)
@given(line=st.integers(-8, 7).map(lambda halves: halves / 2 + 0.25))
def test_a_quarter_line_is_half_of_each_neighbour(line: float) -> None:
    payoff, below, above = (payoffs.asian_handicap(at) for at in (line, line - 0.25, line + 0.25))

    assert np.array_equal(payoff.win, (below.win + above.win) / 2)
    assert np.array_equal(payoff.void, (below.void + above.void) / 2)


@pytest.mark.parametrize(
    ("line", "home", "away", "won", "void"),
    [(-0.25, 1, 1, 0, 0.5), (0.25, 1, 1, 0.5, 0.5), (-0.75, 2, 1, 0.5, 0.5), (-1, 2, 1, 0, 1), (-0.5, 1, 0, 1, 0)],
)
def test_known_asian_handicaps(line: float, home: int, away: int, won: float, void: float) -> None:
    payoff = payoffs.asian_handicap(line)

    assert (payoff.win[0, home, away], payoff.void[0, home, away]) == (won, void)


@pytest.mark.parametrize("period", [MATCH, *HALVES, *QUARTERS])
def test_every_stake_is_won_or_void_once(period: Period) -> None:
    sides = Sides("Home", "Away", 2.5, 0.25, lambda _: 0.05)
    for offer, payoff in scored_offers(sides, period, is_featured=True):
        assert len(offer.outcomes) == len(payoff.win)
        assert np.allclose(payoff.win.sum(axis=0) + offer.winners * payoff.void[0], offer.winners), offer
        assert_void_together(payoff)


def assert_void_together(payoff: Shares) -> None:
    assert (payoff.void == payoff.void[0]).all()
