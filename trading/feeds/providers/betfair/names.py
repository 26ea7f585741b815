"""Names of what the stream gives only as numbers, from a market catalogue or a cricket score stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trading.feeds.adapter import Malformed

from .definition import text, whole
from .wire import Message

_LONGEST_NAME = 200


@dataclass
class Names:
    """Runners by selection id, markets by market id, events and their competitions by event id."""

    runners: dict[int, str] = field(default_factory=dict)
    markets: dict[str, str] = field(default_factory=dict)
    events: dict[str, str] = field(default_factory=dict)
    competitions: dict[str, str] = field(default_factory=dict)

    def learn(self, told: Message) -> None:
        """What a document of ``wire.read_document`` names.

        Raises:
            Malformed: an id or a name is missing; nothing was learnt.
        """
        if told["op"] == "ccm":
            self._learn_teams(told)
        else:
            self._learn_catalogue(told)

    def _learn_catalogue(self, told: Message) -> None:
        market, market_name = text(told, "marketId"), text(told, "marketName")
        runners = {whole(each, "selectionId", 0, 2**53): text(each, "runnerName") for each in _objects(told, "runners")}
        event, competition = _object(told, "event"), _object(told, "competition")
        events = {text(event, "id"): text(event, "name")} if event else {}
        if competition:
            name = text(competition, "name")
            self.competitions.update(dict.fromkeys(events, name))
        self.events.update(events)
        self.markets[market] = market_name
        self.runners.update(runners)

    def _learn_teams(self, told: Message) -> None:
        """The teams of a match are the runners of its markets, and together its name."""
        for change in _objects(told, "cc"):
            teams = [team for side in ("homeTeam", "awayTeam") if (team := _object(change, side))]
            named = {whole(team, "selectionId", 0, 2**53): text(team, "name") for team in teams}
            if len(named) == 2:
                self.events[text(change, "eventId")] = " v ".join(named.values())[:_LONGEST_NAME]
            self.runners.update(named)


def _object(told: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    found = told.get(name)
    if found is not None and not isinstance(found, dict):
        raise Malformed(f"{name} is {found!r:.40}; it is an object")
    return found


def _objects(told: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = told.get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Malformed(f"{name} is {found!r:.40}; it is a list of objects")
    return found
