"""The markets on a football match, with what they pay at every score."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from backoffice.simulator.sport.board import Offer
from trading.domain import payoffs
from trading.domain.payoffs import Shares


class Period(NamedTuple):
    """A part of the match, by its minutes without added time; ``suffix`` ends the types of its markets."""

    suffix: str
    name: str
    start: int
    end: int


MATCH = Period("", "", 0, 90)
FIRST_HALF = Period(".first_half", ", first half", 0, 45)
SECOND_HALF = Period(".second_half", ", second half", 45, 90)
HALVES = (FIRST_HALF, SECOND_HALF)
QUARTERS = tuple(
    Period(f".minutes_{start}_{start + 15}", f", minutes {start} to {start + 15}", start, start + 15)
    for start in range(0, 90, 15)
)

# How many goals the markets on who scores the next one go.
GOALS = {False: 2, True: 6}


class Scored(NamedTuple):
    """A market whose payoff follows from the score of a period."""

    offer: Offer
    payoff: Shares


class Sides(NamedTuple):
    """The names, and the lines round which the markets are laid: on the goals of both, and on the lead of home."""

    home: str
    away: str
    goals: float
    lead: float
    margin: Callable[[str], float]


def scored_offers(sides: Sides, period: Period, *, is_featured: bool) -> list[Scored]:
    """The markets on the score of a period."""
    if period is MATCH:
        return list(_match(sides, is_featured=is_featured))
    if period in HALVES:
        return list(_half(sides, period, is_featured=is_featured))
    return list(_quarter(sides, period))


def special_offers(sides: Sides, *, is_featured: bool) -> list[Offer]:
    """Who scores which goal, then the double result, then the half with more goals; in this order."""
    home, away = sides.home, sides.away
    goals = [
        Offer(f"goal.{number}", f"Goal {number}", (home, "No goal", away), sides.margin("goal"))
        for number in range(1, GOALS[is_featured] + 1)
    ]
    names = (home, "Draw", away)
    double = tuple(f"{half} / {full}" for half in names for full in names)
    halves = ("First half", "Equal", "Second half")
    return [
        *goals,
        Offer("half_time_full_time", "Half-time / full-time", double, sides.margin("half_time_full_time")),
        Offer("highest_half", "Half with more goals", halves, sides.margin("highest_half")),
    ]


def _match(sides: Sides, *, is_featured: bool) -> Iterator[Scored]:
    yield from _basics(sides, MATCH)
    spread = 6 if is_featured else 1
    totals = {1.5, 2.5, 3.5} | _around(sides.goals, spread) | ({0.5, 4.5, 5.5, 6.5} if is_featured else set())
    yield from _totals(sides, MATCH, (line for line in totals if line > 0))
    yield from _handicaps(sides, MATCH, _around(-sides.lead, 10 if is_featured else 1))
    yield _correct_score(sides, MATCH, 4)
    if is_featured:
        yield from _team_totals(sides, MATCH, (0.5, 1.5, 2.5, 3.5))
        yield from _extras(sides, MATCH)
        yield from _combinations(sides)
        for start in (-3, -2, -1, 1, 2, 3):
            yield _handicap_result(sides, start)


def _half(sides: Sides, period: Period, *, is_featured: bool) -> Iterator[Scored]:
    if not is_featured:
        if period is FIRST_HALF:
            yield _result(sides, period)
            yield from _totals(sides, period, (0.5, 1.5))
        return
    yield from _basics(sides, period)
    yield from _totals(sides, period, (0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3.5))
    yield from _handicaps(sides, period, _around(-quarter(sides.lead / 2), 3))
    yield _correct_score(sides, period, 2)
    yield from _team_totals(sides, period, (0.5, 1.5))
    yield from _extras(sides, period)


def _quarter(sides: Sides, period: Period) -> Iterator[Scored]:
    yield _result(sides, period)
    yield from _totals(sides, period, (0.5, 1.5))


def _basics(sides: Sides, period: Period) -> Iterator[Scored]:
    home, away = sides.home, sides.away
    yield _result(sides, period)
    either = (f"{home} or draw", f"Draw or {away}", f"{home} or {away}")
    yield _scored(sides, period, "double_chance", "Double chance", either, payoffs.double_chance(), winners=2)
    yield _scored(sides, period, "draw_no_bet", "Draw no bet", (home, away), payoffs.draw_no_bet())
    yield _scored(sides, period, "both_to_score", "Both to score", ("Yes", "No"), payoffs.both_to_score())


def _result(sides: Sides, period: Period) -> Scored:
    return _scored(sides, period, "match_result", "Match result", (sides.home, "Draw", sides.away), payoffs.result())


def _totals(sides: Sides, period: Period, lines: Iterable[float]) -> Iterator[Scored]:
    for line in sorted(lines):
        names = (f"Over {line:g}", f"Under {line:g}")
        yield _scored(sides, period, "total", "Total goals", names, payoffs.total("goals", line), line=f"{line:g}")


def _team_totals(sides: Sides, period: Period, lines: Iterable[float]) -> Iterator[Scored]:
    for line in lines:
        names = (f"Over {line:g}", f"Under {line:g}")
        for of, team in (("home", sides.home), ("away", sides.away)):
            payoff = payoffs.total(of, line)
            yield _scored(sides, period, f"total.{of}", f"Goals of {team}", names, payoff, line=f"{line:g}")


def _handicaps(sides: Sides, period: Period, lines: Iterable[float]) -> Iterator[Scored]:
    for line in sorted(lines):
        names = (f"{sides.home} {line:+g}", f"{sides.away} {-line:+g}")
        payoff = payoffs.asian_handicap(line)
        yield _scored(sides, period, "asian_handicap", "Asian handicap", names, payoff, line=f"{line:g}")


def _handicap_result(sides: Sides, start: int) -> Scored:
    names = (f"{sides.home} {start:+d}", "Draw", f"{sides.away} {-start:+d}")
    payoff = payoffs.result(start)
    return _scored(sides, MATCH, "handicap_result", "Handicap result", names, payoff, line=str(start))


def _correct_score(sides: Sides, period: Period, most: int) -> Scored:
    exact = (f"{home}-{away}" for home, away in payoffs.scores(most))
    others = ("Any other home win", "Any other draw", "Any other away win")
    return _scored(
        sides, period, "correct_score", "Correct score", (*exact, *others), payoffs.correct_score(most)
    )  # fmt: skip


def _extras(sides: Sides, period: Period) -> Iterator[Scored]:
    exact = ("0", "1", "2", "3", "4 or more")
    yield _scored(sides, period, "exact_goals", "Exact goals", exact, payoffs.exact_goals("goals", 4))
    yield _scored(sides, period, "odd_even", "Goals odd or even", ("Odd", "Even"), payoffs.odd_even("goals"))
    for of, team in (("home", sides.home), ("away", sides.away)):
        yes_no = ("Yes", "No")
        yield _scored(sides, period, f"clean_sheet.{of}", f"Clean sheet of {team}", yes_no, payoffs.clean_sheet(of))
        yield _scored(sides, period, f"win_to_nil.{of}", f"{team} to win to nil", yes_no, payoffs.win_to_nil(of))
        yield _scored(
            sides, period, f"exact_goals.{of}", f"Exact goals of {team}", (*exact[:3], "3 or more"),
            payoffs.exact_goals(of, 3),
        )  # fmt: skip


def _combinations(sides: Sides) -> Iterator[Scored]:
    results = (sides.home, "Draw", sides.away)
    by = [*(f"by {lead}" for lead in (1, 2)), "by 3 or more"]
    margins = (*(f"{sides.home} {lead}" for lead in by), "Draw", *(f"{sides.away} {lead}" for lead in by))
    yield _scored(sides, MATCH, "winning_margin", "Winning margin", margins, payoffs.winning_margin(3))
    both = tuple(f"{result} and {scored}" for result in results for scored in ("both score", "not both"))
    name = "Match result and both to score"
    yield _scored(sides, MATCH, "result_and.both_to_score", name, both, payoffs.both_of("result", None))
    for line in (1.5, 2.5, 3.5, 4.5):
        sided = (f"over {line}", f"under {line}")
        names = tuple(f"{result} and {side}" for result in results for side in sided)
        payoff = payoffs.both_of("result", line)
        name = "Match result and total goals"
        yield _scored(sides, MATCH, "result_and.total", name, names, payoff, line=f"{line:g}")
    names = tuple(f"{scored} and {side}" for scored in ("Both", "Not both") for side in ("over 2.5", "under 2.5"))
    payoff = payoffs.both_of("both_to_score", 2.5)
    yield _scored(
        sides, MATCH, "both_to_score_and.total", "Both to score and total goals", names, payoff, line="2.5"
    )  # fmt: skip


def _scored(
    sides: Sides, period: Period, kind: str, name: str, outcomes: tuple[str, ...], payoff: Shares, *,
    line: str | None = None, winners: int = 1,
) -> Scored:  # fmt: skip
    market_type = kind + period.suffix
    offer = Offer(market_type, name + period.name, outcomes, sides.margin(market_type), line, winners)
    return Scored(offer, payoff)


def _around(line: float, steps: int) -> set[float]:
    """The line and so many quarter steps to either side."""
    return {line + step / 4 for step in range(-steps, steps + 1)}


def quarter(value: float) -> float:
    """To the nearest quarter."""
    return round(value * 4) / 4
