"""What football outcomes pay at a score: quarter lines are halves of their neighbours, and somebody always wins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.simulator.sport.football_board import HALVES, MATCH, QUARTERS, Period, Sides, scored_offers
from trading.domain import payoffs
from trading.domain.payoffs import Shares

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


def winners(payoff: Shares, home: int, away: int) -> list[int]:
    """Which outcomes win at the score, where none is void."""
    assert not payoff.void[:, home, away].any()
    assert set(payoff.win[:, home, away].tolist()) <= {0.0, 1.0}
    return np.flatnonzero(payoff.win[:, home, away]).tolist()


def side(lead: int) -> int:
    """Home, draw or away."""
    return 0 if lead > 0 else 1 if lead == 0 else 2


every_score = given(home=goals, away=goals)


@settings(deadline=None)
@every_score
def test_results_and_what_is_made_of_them(home: int, away: int) -> None:
    lead = home - away

    assert winners(payoffs.result(), home, away) == [side(lead)]
    assert winners(payoffs.double_chance(), home, away) == {0: [0, 2], 1: [0, 1], 2: [1, 2]}[side(lead)]
    for start in (-3, -1, 1, 3):
        assert winners(payoffs.result(start), home, away) == [side(lead + start)]


@settings(deadline=None)
@every_score
def test_both_score_or_one_keeps_a_clean_sheet(home: int, away: int) -> None:
    both = home > 0 and away > 0

    assert winners(payoffs.both_to_score(), home, away) == [0 if both else 1]
    assert winners(payoffs.clean_sheet("home"), home, away) == [0 if away == 0 else 1]
    assert winners(payoffs.clean_sheet("away"), home, away) == [0 if home == 0 else 1]
    assert winners(payoffs.win_to_nil("home"), home, away) == [0 if home > away == 0 else 1]
    assert winners(payoffs.win_to_nil("away"), home, away) == [0 if away > home == 0 else 1]


@settings(deadline=None)
@given(home=goals, away=goals, line=st.integers(0, 16).map(lambda halves: halves / 2))
def test_totals_are_over_or_under_or_void(home: int, away: int, line: float) -> None:
    for of, value in (("goals", home + away), ("home", home), ("away", away)):
        payoff = payoffs.total(of, line)
        assert payoff.win[:, home, away].tolist() == [value > line, value < line]
        assert payoff.void[:, home, away].tolist() == [value == line] * 2


@settings(deadline=None)
@every_score
def test_draw_no_bet_gives_a_draw_back(home: int, away: int) -> None:
    payoff = payoffs.draw_no_bet()

    assert payoff.win[:, home, away].tolist() == [home > away, home < away]
    assert payoff.void[:, home, away].tolist() == [home == away] * 2


@settings(deadline=None)
@given(home=goals, away=goals, most=st.integers(1, 5))
def test_a_score_is_named_or_any_other(home: int, away: int, most: int) -> None:
    scores = [(ours, theirs) for ours in range(most + 1) for theirs in range(most + 1)]
    assert payoffs.scores(most) == scores

    expected = scores.index((home, away)) if max(home, away) <= most else len(scores) + side(home - away)

    assert winners(payoffs.correct_score(most), home, away) == [expected]


@settings(deadline=None)
@given(home=goals, away=goals, most=st.integers(1, 5))
def test_goals_are_counted_up_to_the_most(home: int, away: int, most: int) -> None:
    for of, value in (("goals", home + away), ("home", home), ("away", away)):
        assert winners(payoffs.exact_goals(of, most), home, away) == [min(value, most)]
        assert winners(payoffs.odd_even(of), home, away) == [1 - value % 2]


@settings(deadline=None)
@given(home=goals, away=goals, most=st.integers(1, 5))
def test_a_margin_is_home_by_so_many_or_a_draw_or_away(home: int, away: int, most: int) -> None:
    lead = home - away
    expected = most if lead == 0 else min(lead, most) - 1 if lead > 0 else most + min(-lead, most)

    payoff = payoffs.winning_margin(most)

    assert len(payoff.win) == 2 * most + 1
    assert winners(payoff, home, away) == [expected]


@settings(deadline=None)
@given(home=goals, away=goals, line=st.sampled_from([1.5, 2.5, 3.5]))
def test_two_things_together_are_won_when_both_are(home: int, away: int, line: float) -> None:
    over, both = (0 if home + away > line else 1), (0 if home and away else 1)

    assert winners(payoffs.both_of("result", line), home, away) == [2 * side(home - away) + over]
    assert winners(payoffs.both_of("result", None), home, away) == [2 * side(home - away) + both]
    assert winners(payoffs.both_of("both_to_score", line), home, away) == [2 * both + over]


def test_the_last_row_stands_for_all_beyond_it() -> None:
    assert payoffs.GRID == 16
    assert payoffs.result().win.shape == (3, 16, 16)
    assert winners(payoffs.result(), 15, 3) == [0]
