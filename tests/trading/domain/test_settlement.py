"""What bets of every kind pay, held against every line counted out."""

from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulator.dead_heats import DEAD_HEATS, DeadHeat, needed, of_the_file
from trading.domain.legs import Finish, Leg, PlaceTerms, Result, VoidRule, built
from trading.domain.lines import SYSTEMS, Combination, accumulator, count, lines
from trading.domain.settlement import LuckyBonus, Terms, payout, potential_payout

from . import oracle

results = st.sampled_from(["won", "won", "lost", "void", "undecided"])
finishes = st.builds(
    lambda result, tie: Finish(result, *tie),
    results,
    st.just((1, 1)) | st.integers(2, 7).flatmap(lambda tied: st.tuples(st.integers(1, tied), st.just(tied))),
)
place_terms = st.sampled_from([PlaceTerms(1, 4), PlaceTerms(1, 5), PlaceTerms(1, 2), PlaceTerms(1, 1)])
legs = st.builds(
    Leg,
    odds=st.integers(1_000, 60_000),
    win=finishes,
    void_share=st.sampled_from([0, 0, 0, 250, 500, 1_000]),
    deduction=st.sampled_from([0, 0, 50, 250, 900]),
    place=st.none() | finishes,
    terms=st.none() | place_terms,
)

lucky = st.builds(LuckyBonus, st.sampled_from([1_000, 2_000, 3_000]), st.integers(0, 500), st.booleans())


@st.composite
def bets(draw: st.DrawFn) -> tuple[Terms, list[Leg]]:
    chosen = draw(st.lists(legs, min_size=1, max_size=6))
    bankers = draw(st.lists(st.integers(0, len(chosen) - 1), unique=True, max_size=len(chosen) - 1))
    free = len(chosen) - len(bankers)
    sizes = draw(st.lists(st.integers(1, free), unique=True, min_size=1))
    terms = Terms(
        stake=draw(st.integers(0, 10**9)),
        combination=Combination(tuple(sizes), tuple(bankers)),
        is_each_way=draw(st.booleans()),
        is_free=draw(st.booleans()),
        bonus=draw(st.none() | lucky),
        max_payout=draw(st.none() | st.integers(0, 10**8)),
    )
    return terms, chosen


@settings(max_examples=400, deadline=None)
@given(bet=bets())
def test_a_payout_is_what_the_lines_pay(bet: tuple[Terms, list[Leg]]) -> None:
    assert payout(*bet) == oracle.paid(*bet)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("trixie", 4), ("patent", 7), ("yankee", 11), ("lucky_15", 15), ("canadian", 26), ("lucky_31", 31),
        ("heinz", 57), ("lucky_63", 63), ("super_heinz", 120), ("goliath", 247),
    ],
)  # fmt: skip
def test_named_systems_have_the_lines_of_their_names(name: str, number: int) -> None:
    system = SYSTEMS[name]
    combination = Combination(system.sizes)

    assert count(system.legs, combination) == len(list(lines(system.legs, combination))) == number
    assert len(SYSTEMS) == 10


def test_a_banker_is_in_every_line() -> None:
    combination = Combination((2,), (0,))

    assert list(lines(4, combination)) == [(0, 1, 2), (0, 1, 3), (0, 2, 3)]
    assert count(4, combination) == comb(3, 2)
    won, lost = Leg(2_000, Finish("won")), Leg(2_000, Finish("lost"))
    assert payout(Terms(300, combination), [lost, won, won, won]) == 0
    assert payout(Terms(300, combination), [won, lost, won, won]) == 800  # One line of three at 2.00, 1.00 on it.


@pytest.mark.parametrize(
    ("legs", "combination"),
    [
        (3, Combination(())), (3, Combination((0,))), (3, Combination((4,))), (3, Combination((2, 2))),
        (3, Combination((3,), (0,))), (3, Combination((1,), (3,))), (3, Combination((1,), (-1,))),
        (3, Combination((1,), (0, 0))), (1, Combination((1,), (0,))), (0, Combination((1,))),
    ],
)  # fmt: skip
def test_what_is_no_bet_is_not_settled(legs: int, combination: Combination) -> None:
    with pytest.raises(ValueError, match="nothing is settled"):
        payout(Terms(100, combination), [Leg(2_000, Finish("won"))] * legs)


@pytest.mark.parametrize(
    "leg",
    [
        Leg(999, Finish("won")), Leg(2_000, Finish("won"), void_share=1_001), Leg(2_000, Finish("won"), void_share=-1),
        Leg(2_000, Finish("won"), deduction=1_001), Leg(2_000, Finish("won"), deduction=-1),
        Leg(2_000, Finish("won", 0, 2)), Leg(2_000, Finish("lost", 3, 2)), Leg(2_000, Finish("won", 1, 0)),
        Leg(2_000, Finish("won"), place=Finish("won"), terms=PlaceTerms(0, 4)),
        Leg(2_000, Finish("won"), place=Finish("won"), terms=PlaceTerms(5, 4)),
    ],
)  # fmt: skip
def test_what_is_no_leg_is_not_settled(leg: Leg) -> None:
    with pytest.raises(ValueError, match="nothing is settled"):
        payout(Terms(100, accumulator(1), is_each_way=True), [leg])


def test_a_negative_stake_is_not_settled() -> None:
    with pytest.raises(ValueError, match="nothing is settled"):
        payout(Terms(-1, accumulator(1)), [Leg(2_000, Finish("won"))])


@settings(max_examples=100, deadline=None)
@given(
    stake=st.integers(1, 10**6), odds=st.lists(st.integers(1_001, 50_000), min_size=3, max_size=5), terms=place_terms
)
def test_a_potential_payout_is_that_of_all_legs_won(stake: int, odds: list[int], terms: PlaceTerms) -> None:
    won = Finish("won")
    bet = Terms(stake, Combination((2, 3)), is_each_way=True)

    assert potential_payout(bet, odds, [terms] * len(odds)) == oracle.paid(
        bet, [Leg(leg, won, place=won, terms=terms) for leg in odds]
    )
    plain = Terms(stake, Combination((2,)))
    assert potential_payout(plain, odds) == oracle.paid(plain, [Leg(leg, won) for leg in odds])


@pytest.mark.parametrize(
    ("results", "rule", "repriced", "odds", "result"),
    [
        (["won", "won"], "void", None, 5_000, "won"),
        (["won", "lost"], "void", None, 5_000, "lost"),
        (["won", "undecided"], "void", None, 5_000, "undecided"),
        (["lost", "undecided"], "void", None, 5_000, "lost"),
        (["won", "void"], "void", None, 5_000, "void"),
        (["lost", "void"], "void", None, 5_000, "void"),
        (["lost", "void"], "void_unless_lost", None, 5_000, "lost"),
        (["won", "void"], "void_unless_lost", None, 5_000, "void"),
        (["undecided", "void"], "void_unless_lost", None, 5_000, "undecided"),
        (["undecided", "void"], "void", None, 5_000, "void"),
        (["void", "void"], "void_unless_lost", None, 5_000, "void"),
        (["won", "void"], "repriced", 3_000, 3_000, "won"),
        (["undecided", "void"], "repriced", 3_000, 3_000, "undecided"),
        (["lost", "void"], "repriced", None, 5_000, "lost"),
        (["void", "void"], "repriced", 3_000, 5_000, "void"),
    ],
)
def test_a_bet_builder_is_one_leg(
    results: list[Result], rule: VoidRule, repriced: int | None, odds: int, result: Result
) -> None:
    assert built(5_000, results, rule, repriced) == Leg(odds, Finish(result))


def test_a_bet_builder_without_a_price_for_the_rest_is_not_settled() -> None:
    some: tuple[list[Result], ...] = ([], ["won", "void"])
    for results in some:
        with pytest.raises(ValueError, match="nothing is settled"):
            built(5_000, results, "repriced")


@pytest.mark.parametrize("case", DEAD_HEATS)
def test_a_dead_heat_is_paid_by_those_who_tied(case: DeadHeat) -> None:
    tied = Leg(case.odds, Finish("won", case.places, case.tied))

    assert payout(Terms(case.stake, accumulator(1)), [tied]) == case.right


@needed
def test_the_field_cases_are_those_of_the_file() -> None:
    assert of_the_file() == list(DEAD_HEATS)


def single(leg: Leg, stake: int = 100) -> int:
    return payout(Terms(stake, accumulator(1)), [leg])


@pytest.mark.parametrize(
    ("leg", "paid"),
    [
        (Leg(2_500, Finish("lost")), 0),
        (Leg(2_500, Finish("won")), 250),
        (Leg(2_500, Finish("lost"), 1_000), 100),
        (Leg(2_500, Finish("void"), 1_000), 100),
        (Leg(2_500, Finish("won"), 500), 50 + 125),
        (Leg(2_500, Finish("lost"), 500), 50),
        (Leg(2_500, Finish("won", 1, 2)), 125),
        (Leg(2_500, Finish("undecided")), 0),
    ],
)
def test_a_single_of_one_at_two_and_a_half(leg: Leg, paid: int) -> None:
    assert single(leg) == paid


def test_it_is_rounded_down_once() -> None:
    three = [Leg(1_333, Finish("won"))] * 3

    assert payout(Terms(100, accumulator(3)), three) == 236  # 1.333³ = 2.3685…; leg by leg it were 2.34.


def test_a_void_leg_leaves_an_accumulator_as_if_it_were_not_there() -> None:
    won, void = Leg(3_000, Finish("won")), Leg(1_700, Finish("void"), 1_000)

    assert payout(Terms(100, accumulator(3)), [won, void, won]) == 900
    assert payout(Terms(100, accumulator(2)), [won, won]) == 900


def test_a_system_spreads_the_stake_over_its_lines() -> None:
    two_of_three = [Leg(2_000, Finish("won")), Leg(3_000, Finish("won")), Leg(5_000, Finish("lost"))]

    assert payout(Terms(300, Combination((2,))), two_of_three) == 600  # Only the first two win: 1.00 · 2 · 3.
    assert payout(Terms(3 * 10**40, Combination((2,))), two_of_three) == 6 * 10**40


def test_a_share_in_thousandths_is_a_fraction_like_any_other() -> None:
    assert single(Leg(10_000, Finish("won", 333, 1_000)), 100_000) == 333_000


def test_dead_heats_in_an_accumulator_and_a_system_are_exact() -> None:
    third, seventh = Leg(10_000, Finish("won", 1, 3)), Leg(51_000, Finish("won", 2, 7))

    assert payout(Terms(21, accumulator(2)), [third, seventh]) == 1_020  # 21 · 10/3 · 102/7
    lost = Leg(2_000, Finish("lost"))
    assert payout(Terms(63, Combination((1,))), [third, seventh, lost]) == 376  # 21 · (10/3 + 102/7)
    assert single(Leg(3_000, Finish("won", 1, 3), 500)) == 100


@pytest.mark.parametrize("result", ["lost", "undecided"])
def test_a_leg_that_did_not_win_pays_only_what_is_void(result: Result) -> None:
    """Whatever its odds and its share of a win."""
    assert single(Leg(5_000, Finish(result, 1, 2))) == 0
    assert single(Leg(5_000, Finish(result), 250)) == 25
    assert single(Leg(5_000, Finish("void"))) == 100
