"""Names of what the stream gives only as numbers, from a market catalogue or a cricket score stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trading.feeds.adapter import Malformed

from .values import LONGEST_NAME, needed_label, needed_objects, shown, text, whole
from .wire import Message

_LARGEST_ID = 2**53
_MOST_ENTRIES = 10_000


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
        market, market_name = text(told, "marketId"), needed_label(told, "marketName")
        runners = {
            whole(each, "selectionId", 0, _LARGEST_ID): needed_label(each, "runnerName")
            for each in needed_objects(told, "runners", _MOST_ENTRIES)
        }
        event, competition = _object(told, "event"), _object(told, "competition")
        events = {text(event, "id"): needed_label(event, "name")} if event else {}
        if competition:
            name = needed_label(competition, "name")
            self.competitions.update(dict.fromkeys(events, name))
        self.events.update(events)
        self.markets[market] = market_name
        self.runners.update(runners)

    def _learn_teams(self, told: Message) -> None:
        """The teams of a match are the runners of its markets, and together its name."""
        events: dict[str, str] = {}
        runners: dict[int, str] = {}
        for change in needed_objects(told, "cc", _MOST_ENTRIES):
            teams = [team for side in ("homeTeam", "awayTeam") if (team := _object(change, side))]
            named = {whole(team, "selectionId", 0, _LARGEST_ID): needed_label(team, "name") for team in teams}
            if len(named) == 2:
                events[text(change, "eventId")] = " v ".join(named.values())[:LONGEST_NAME]
            runners |= named
        self.events.update(events)
        self.runners.update(runners)


def _object(told: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    found = told.get(name)
    if found is not None and not isinstance(found, dict):
        raise Malformed(f"{name} is {shown(found)}; it is an object")
    return found
