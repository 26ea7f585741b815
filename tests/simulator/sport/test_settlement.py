"""What bets pay, against the table of the feed's documentation and against every line counted out."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from math import comb, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.simulator.sport.settlement import Kind, SettledLeg, cash_out, potential_payout, returned
from tests.simulator.dead_heats import DEAD_HEATS, DeadHeat, needed, of_the_file

ties = st.integers(1, 9).flatmap(lambda tied: st.tuples(st.integers(1, tied), st.just(tied)))
legs = st.builds(
    lambda odds, result, void, factor, tie: SettledLeg(odds, result, void, factor, *(tie or (None, None))),
    st.integers(1_001, 200_000),
    st.sampled_from(["won", "lost", "void", "undecided"]),
    st.sampled_from([0, 500, 1_000]),
    st.sampled_from([333, 500, 1_000]),
    st.none() | ties,
)


@pytest.mark.parametrize(
    ("leg", "paid"),
    [
        (SettledLeg(2_500, "lost"), 0),
        (SettledLeg(2_500, "won"), 250),
        (SettledLeg(2_500, "lost", 1_000), 100),
        (SettledLeg(2_500, "void", 1_000), 100),
        (SettledLeg(2_500, "won", 500), 50 + 125),
        (SettledLeg(2_500, "lost", 500), 50),
        (SettledLeg(2_500, "won", 0, 500), 125),
        (SettledLeg(2_500, "undecided"), 0),
    ],
)
def test_a_single_of_one_at_two_and_a_half(leg: SettledLeg, paid: int) -> None:
    assert returned(100, "single", 0, [leg]) == paid


def test_it_is_rounded_down_once() -> None:
    three = [SettledLeg(1_333, "won")] * 3

    assert returned(100, "multiple", 0, three) == 236  # 1.333³ = 2.3685…; leg by leg it were 2.34.


def test_a_void_leg_leaves_a_multiple_as_if_it_were_not_there() -> None:
    won, void = SettledLeg(3_000, "won"), SettledLeg(1_700, "void", 1_000)

    assert returned(100, "multiple", 0, [won, void, won]) == returned(100, "multiple", 0, [won, won]) == 900


def test_a_system_spreads_the_stake_over_its_lines() -> None:
    two_of_three = [SettledLeg(2_000, "won"), SettledLeg(3_000, "won"), SettledLeg(5_000, "lost")]

    assert returned(300, "system", 2, two_of_three) == 600  # Only the line of the first two wins: 1.00 · 2 · 3.
    assert returned(3 * 10**40, "system", 2, two_of_three) == 6 * 10**40


@settings(deadline=None)
@given(stake=st.integers(1, 10**9), settled=st.lists(legs, min_size=1, max_size=7), data=st.data())
def test_a_payout_is_what_the_lines_pay(stake: int, settled: list[SettledLeg], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(settled)))
    kind: Kind = "single" if len(settled) == 1 else "multiple" if size == len(settled) else "system"

    lines = [prod(map(counted_out, line), start=Fraction(1)) for line in combinations(settled, size)]

    paid = stake * sum(lines, Fraction(0)) // comb(len(settled), size)
    assert returned(stake, kind, size if kind == "system" else 0, settled) == paid


def counted_out(leg: SettledLeg) -> Fraction:
    """A stake of 1 in 1,000 parts: each is void or not, and each that is not and wins is paid."""
    void = 1_000 if leg.result == "void" else leg.void_factor
    share = Fraction(leg.dead_heat_factor, 1_000)
    if leg.dead_heat_places and leg.dead_heat_tied:
        share = Fraction(leg.dead_heat_places, leg.dead_heat_tied)
    paid = Fraction(leg.odds, 1_000) * share if leg.result == "won" else 0
    return Fraction(void, 1_000) + Fraction(1_000 - void, 1_000) * paid


def tied(case: DeadHeat) -> SettledLeg:
    return SettledLeg(case.odds, "won", 0, case.factor, case.places, case.tied)


@pytest.mark.parametrize("case", DEAD_HEATS)
def test_a_dead_heat_is_paid_by_those_who_tied(case: DeadHeat) -> None:
    assert returned(case.stake, "single", 0, [tied(case)]) == case.right


@needed
def test_the_field_cases_are_those_of_the_file() -> None:
    assert of_the_file() == list(DEAD_HEATS)


def test_without_those_who_tied_the_factor_tells_the_share() -> None:
    assert returned(100_000, "single", 0, [SettledLeg(10_000, "won", 0, 333)]) == 333_000
    assert returned(100_000, "single", 0, [SettledLeg(10_000, "won", 0, 333, 1, None)]) == 333_000
    assert returned(100_000, "single", 0, [SettledLeg(10_000, "won", 0, 333, None, 3)]) == 333_000


def test_dead_heats_in_a_multiple_and_a_system_are_exact() -> None:
    third, seventh = SettledLeg(10_000, "won", 0, 333, 1, 3), SettledLeg(51_000, "won", 0, 286, 2, 7)

    assert returned(21, "multiple", 0, [third, seventh]) == 1_020  # 21 · 10/3 · 102/7
    assert returned(63, "system", 1, [third, seventh, SettledLeg(2_000, "lost")]) == 376  # 21 · (10/3 + 102/7)
    assert returned(100, "single", 0, [SettledLeg(3_000, "won", 500, 333, 1, 3)]) == 100


@settings(deadline=None)
@given(stake=st.integers(1, 10**6), odds=st.lists(st.integers(1_001, 50_000), min_size=3, max_size=6))
def test_a_potential_payout_is_that_of_all_legs_won(stake: int, odds: list[int]) -> None:
    lines = [prod(Fraction(leg, 1_000) for leg in line) for line in combinations(odds, 2)]

    assert potential_payout(stake, "system", 2, odds) == stake * sum(lines) // len(lines)


@pytest.mark.parametrize(
    ("kind", "size", "count"),
    [("single", 0, 2), ("multiple", 0, 1), ("multiple", 2, 3), ("system", 0, 3), ("system", 3, 3), ("single", 0, 0)],
)
def test_what_is_no_bet_is_not_settled(kind: Kind, size: int, count: int) -> None:
    with pytest.raises(ValueError, match="is no bet"):
        returned(100, kind, size, [SettledLeg(2_000, "won")] * count)


@pytest.mark.parametrize(
    ("odds", "chances", "offer"),
    [
        ([4_000], [500_000], 190),  # Worth 2.00, less 5 %.
        ([2_000, 3_000], [1_000_000, 333_333], 189),  # The first has won: 2 · 0.999999, less 5 %, rounded down.
        ([2_000, 3_000], [1_000_000, 0], 0),
    ],
)
def test_a_cash_out_is_the_fair_value_less_the_margin(odds: Sequence[int], chances: Sequence[int], offer: int) -> None:
    assert cash_out(100, odds, chances, 50_000) == offer


@pytest.mark.parametrize(
    ("chances", "margin"),
    [([1_000_001], 50_000), ([-1], 50_000), ([500_000], -1), ([500_000], 1_000_001), ([0, -1], 0), ([0, 1_000_001], 0)],
)
def test_a_cash_out_of_what_is_no_chance_or_margin_is_refused(chances: list[int], margin: int) -> None:
    with pytest.raises(ValueError, match="nothing is offered"):
        cash_out(100, [2_000] * len(chances), chances, margin)


def test_a_cash_out_needs_a_chance_for_each_leg() -> None:
    for chances in ([500_000], [500_000] * 3):
        with pytest.raises(ValueError, match="argument 2"):
            cash_out(100, [2_000, 2_000], chances, 0)


def test_a_cash_out_at_the_edges() -> None:
    assert cash_out(10**12, [2_000, 4_000], [500_000, 250_000], 0) == 10**12
    assert cash_out(100, [2_000], [1_000_000], 0) == 200
    assert cash_out(100, [2_000], [1_000_000], 1_000_000) == 0
    assert cash_out(100, [2_000], [0], 0) == 0


@pytest.mark.parametrize("result", ["lost", "undecided"])
def test_a_leg_that_did_not_win_pays_only_what_is_void(result: str) -> None:
    """Whatever its odds and its share of a win."""
    assert returned(100, "single", 0, [SettledLeg(5_000, result, 0, 500, 1, 2)]) == 0
    assert returned(100, "single", 0, [SettledLeg(5_000, result, 250)]) == 25
    assert returned(100, "single", 0, [SettledLeg(5_000, "void", 0)]) == 100
