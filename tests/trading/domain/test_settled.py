"""Bets worked out by hand, each with its reasoning: `settled.csv`, and what they pay here and by the oracle."""

import csv
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest

from trading.domain.legs import Finish, Leg, PlaceTerms, Result
from trading.domain.lines import SYSTEMS, Combination, accumulator
from trading.domain.settlement import LuckyBonus, Terms, payout

from . import oracle

ROWS = Path(__file__).with_name("settled.csv")
LEG = re.compile(
    r"(?P<odds>\d+\.\d\d) (?P<result>half won|half lost|won|lost|void|undecided)(?: (?P<tie>\d+/\d+))?"
    r"(?: r4 (?P<pence>\d+))?(?:, (?P<terms>\d+/\d+) (?P<place>placed|unplaced)(?: (?P<place_tie>\d+/\d+))?)?"
)
BET = re.compile(
    r"(?P<kind>[a-z]+(?: heinz| \d\d)?|[\d+]+/\d+)(?: bankers (?P<bankers>[A-H ]+))?(?P<each_way> ew)?(?P<free> free)?"
    r"(?: bonus (?P<one>\d) (?P<all>\d+)%(?P<winnings> of winnings)?)?(?: cap (?P<cap>\d+))?"
)
RESULTS: dict[str, tuple[Result, int]] = {
    "won": ("won", 0), "lost": ("lost", 0), "void": ("void", 0), "undecided": ("undecided", 0),
    "half won": ("won", 500), "half lost": ("lost", 500),
}  # fmt: skip


class Row(NamedTuple):
    bet: str
    terms: Terms
    legs: list[Leg]
    paid: int
    why: str


def rows() -> Iterator[Row]:
    with ROWS.open(newline="") as lines:
        for told in csv.DictReader(lines):
            legs = [leg_of(text) for text in told["legs"].split("; ")]
            terms = terms_of(told["bet"], int(told["stake"]), len(legs))
            yield Row(f"{told['bet']}: {told['legs']}", terms, legs, int(told["paid"]), told["why"])


def leg_of(text: str) -> Leg:
    said = LEG.fullmatch(text)
    assert said, text
    result, void = RESULTS[said["result"]]
    win, place, terms = Finish(result, *pair(said["tie"])), None, None
    if said["terms"]:
        place = Finish("won" if said["place"] == "placed" else "lost", *pair(said["place_tie"]))
        terms = PlaceTerms(*pair(said["terms"]))
    return Leg(round(Fraction(said["odds"]) * 1_000), win, void, 10 * int(said["pence"] or 0), place, terms)


def pair(text: str | None) -> tuple[int, int]:
    one, other = (text or "1/1").split("/")
    return int(one), int(other)


def terms_of(text: str, stake: int, legs: int) -> Terms:
    said = BET.fullmatch(text)
    assert said, text
    bonus = None
    if said["one"]:
        bonus = LuckyBonus(1_000 * int(said["one"]), 10 * int(said["all"]), bool(said["winnings"]))
    return Terms(
        stake,
        combination_of(said["kind"], said["bankers"] or "", legs),
        is_each_way=bool(said["each_way"]),
        is_free=bool(said["free"]),
        bonus=bonus,
        max_payout=int(said["cap"]) if said["cap"] else None,
    )


def combination_of(kind: str, bankers: str, legs: int) -> Combination:
    """``2+3/4`` are lines of two and of three out of four; those of a banker count beside it."""
    if kind in ("single", "double", "acc"):
        return accumulator(legs)
    if (system := SYSTEMS.get(kind.replace(" ", "_"))) is not None:
        assert legs == system.legs
        return Combination(system.sizes)
    sizes, _, of = kind.partition("/")
    places = tuple("ABCDEFGH".index(banker) for banker in bankers.split())
    assert legs == int(of) + len(places)
    return Combination(tuple(map(int, sizes.split("+"))), places)


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row.bet)
def test_a_bet_pays_what_was_worked_out_by_hand(row: Row) -> None:
    assert payout(row.terms, row.legs) == row.paid, row.why
    assert oracle.paid(row.terms, row.legs) == row.paid, row.why


def test_there_are_many_and_each_says_why() -> None:
    told = list(rows())

    assert len(told) >= 400
    assert all(len(row.why) > 10 for row in told)
