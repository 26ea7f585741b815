"""What documents beside the stream name, and what of them is refused whole."""

from dataclasses import asdict
from typing import Any

import pytest

from trading.feeds.adapter import Malformed
from trading.feeds.providers.betfair.names import Names

MOST_ENTRIES = 10_000
LARGEST_ID = 2**53
NOTHING: dict[str, Any] = {"runners": {}, "markets": {}, "events": {}, "competitions": {}}


def catalogue(*runners: int, **told: Any) -> dict[str, Any]:
    named = [{"selectionId": number, "runnerName": f"Runner {number}"} for number in runners]
    return {"op": "marketCatalogue", "marketId": "1.5", "marketName": "Win", "runners": named} | told


def teams(*matches: dict[str, Any]) -> dict[str, Any]:
    return {"op": "ccm", "cc": list(matches)}


def team(number: int) -> dict[str, Any]:
    return {"selectionId": number, "name": f"Team {number}"}


def learnt(told: dict[str, Any]) -> dict[str, Any]:
    names = Names()
    names.learn(told)
    return asdict(names)


def refused(told: dict[str, Any]) -> None:
    names = Names()
    with pytest.raises(Malformed):
        names.learn(told)
    assert asdict(names) == NOTHING, "nothing was learnt"


def test_a_catalogue_names_a_market_its_runners_its_event_and_the_competition() -> None:
    told = catalogue(11, event={"id": "7", "name": "A v B"}, competition={"name": "Cup"})
    assert learnt(told) == {
        "runners": {11: "Runner 11"}, "markets": {"1.5": "Win"}, "events": {"7": "A v B"}, "competitions": {"7": "Cup"},
    }  # fmt: skip
    assert told["competition"] == {"name": "Cup"}, "and the document stays as it is"


def test_an_event_and_a_competition_may_be_missing() -> None:
    named = NOTHING | {"runners": {11: "Runner 11"}, "markets": {"1.5": "Win"}}
    assert learnt(catalogue(11)) == named
    assert learnt(catalogue(11, event=None, competition={"name": "Cup"})) == named
    assert learnt(catalogue(11, event={"id": "7", "name": "A v B"})) == named | {"events": {"7": "A v B"}}


def test_two_teams_are_an_event_and_one_is_none() -> None:
    both = {"eventId": "7", "homeTeam": team(1), "awayTeam": team(2)}
    assert learnt(teams(both, {"eventId": "8", "homeTeam": team(3)})) == NOTHING | {
        "runners": {1: "Team 1", 2: "Team 2", 3: "Team 3"}, "events": {"7": "Team 1 v Team 2"},
    }  # fmt: skip


@pytest.mark.parametrize("number", [0, LARGEST_ID])
def test_ids_up_to_the_edge_are_taken(number: int) -> None:
    assert learnt(catalogue(number))["runners"] == {number: f"Runner {number}"}
    assert learnt(teams({"homeTeam": team(number)}))["runners"] == {number: f"Team {number}"}


@pytest.mark.parametrize("number", [-1, LARGEST_ID + 1])
def test_ids_beyond_are_refused(number: int) -> None:
    refused(catalogue(number))
    refused(teams({"homeTeam": team(number)}))


def test_as_many_entries_as_may_be_are_taken_and_one_more_is_refused() -> None:
    assert len(learnt(catalogue(*range(MOST_ENTRIES)))["runners"]) == MOST_ENTRIES
    refused(catalogue(*range(MOST_ENTRIES + 1)))


@pytest.mark.parametrize("name", ["event", "competition"])
def test_what_is_no_object_is_refused(name: str) -> None:
    refused(catalogue(11, event={"id": "7", "name": "A v B"}) | {name: 5})
