"""Of each kind of finding a number is kept, and none takes the room of another."""

from dataclasses import replace
from typing import Any

import pytest

from backoffice.reconcile.differences import Weight, beyond
from backoffice.reconcile.findings import Findings
from backoffice.reconcile.kinds import Cut, Kind, Span
from tests.reconcile.test_differences import LISTED, found, may_be

OTHER: list[dict[str, Any]] = [
    {"check": "altered"}, {"topic": "odds-feed"}, {"stream": "players"},
    {"weight": Weight.WARNING}, {"weight": Weight.KNOWN},
]  # fmt: skip


@pytest.mark.parametrize("changes", OTHER)
def test_more_than_is_kept_of_one_kind_cuts_off_no_other(changes: dict[str, Any]) -> None:
    findings = Findings()
    for number in range(LISTED + 2):
        findings.add(found(number))
    other = replace(found(7_000), **changes)
    findings.add(other)

    assert other in (*findings.listed, *findings.named)
    place = Cut(found(0).kind, "", 3)
    assert findings.take_cut() == {place: Span(2, (LISTED, LISTED + 1))}
    assert findings.take_met() == {found(number).fingerprint() for number in (LISTED, LISTED + 1)}
    assert (findings.take_cut(), findings.take_met()) == ({}, set())


def test_what_stands_open_takes_the_room_of_what_is_new_and_none_of_its_own() -> None:
    findings = Findings(standing=[found(number).as_json() for number in range(LISTED)])
    findings.add(found(7_000))
    for number in range(LISTED):
        findings.add(found(number))

    assert findings.listed == [found(number) for number in range(LISTED)]
    assert findings.take_cut() == {Cut(found(0).kind, "", 3): Span(1, (7_000, 7_000))}


def test_of_a_kind_of_which_more_stands_open_than_is_listed_all_that_is_met_is_known() -> None:
    findings = Findings(standing=[found(number).as_json() for number in range(LISTED + 5)])
    for number in range(LISTED + 5):
        findings.add(found(number))

    assert (findings.total, len(findings.listed), findings.take_cut()) == (LISTED + 5, LISTED, {})
    assert findings.take_met() == {found(number).fingerprint() for number in range(LISTED, LISTED + 5)}


OF_OTHERS: list[dict[str, Any]] = [{}, {"topic": "odds-feed"}, {"check": "rows"}]


def test_what_a_query_only_counted_is_cut_off_where_it_was_looked_for() -> None:
    findings = Findings()
    with findings.along("sums in table"):
        findings.more("lost", 4, "trading", "bet-events")
        findings.more("lost", 0, "trading", "odds-feed")

    kind = Kind(Weight.DIFFERENCE, "trading", "bet-events", "lost")
    assert findings.take_cut() == {Cut(kind, "sums in table"): Span(4)}
    (left,) = findings.take_unjudged()
    assert [may_be(left, **of) for of in OF_OTHERS] == [True, False, False]


def test_what_a_query_does_not_list_is_of_the_kind_that_it_lists() -> None:
    findings = Findings()
    for one in beyond("lost", range(LISTED + 1)):
        findings.cut_off(replace(one, stream="trading"))
    findings.add(found(1, weight=Weight.WARNING))
    findings.add(found(2, weight=Weight.KNOWN))

    assert findings.take_cut() == {Cut(found(1, weight=Weight.WARNING).kind): Span(1)}
