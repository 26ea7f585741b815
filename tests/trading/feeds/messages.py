"""Made-up messages of the exchange stream, as short as a test wants them."""

from typing import Any

import orjson

PT = 1_657_539_000_000
MARKET = "1.5"


def definition(*runners: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A described market: two runners, 11 and 12, unless others are given."""
    return {
        "version": 100,
        "status": "OPEN",
        "inPlay": False,
        "betDelay": 0,
        "numberOfWinners": 1,
        "eventId": "77",
        "eventTypeId": "4",
        "marketType": "MATCH_ODDS",
        "marketTime": "2022-07-11T11:00:00.000Z",
        "runners": list(runners) or [runner(11, 1), runner(12, 2)],
    } | changes


def runner(selection: int, priority: int = 1, **changes: Any) -> dict[str, Any]:
    return {"id": selection, "status": "ACTIVE", "sortPriority": priority} | changes


def mc(*, market: str = MARKET, rc: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """The change of one market; ``d`` is its definition."""
    if "d" in changes:
        changes["marketDefinition"] = changes.pop("d")
    return {"id": market, **({"rc": rc} if rc is not None else {}), **changes}


def mcm(*changes: dict[str, Any], at: int = 0, **fields: Any) -> bytes:
    """A market change message ``at`` milliseconds after the first."""
    message: dict[str, Any] = {"op": "mcm", "pt": PT + at, **fields}
    if changes:
        message["mc"] = list(changes)
    return orjson.dumps(message)


def image(*changes: dict[str, Any], at: int = 0, **fields: Any) -> bytes:
    """The first message of a subscription, with a heartbeat of five seconds."""
    told = {"ct": "SUB_IMAGE", "initialClk": "i1", "clk": "c1", "heartbeatMs": 5_000, "conflateMs": 0} | fields
    return mcm(*(change | {"img": True} for change in changes), at=at, **told)


def price(selection: int, back: float = 0, lay: float = 0, size: float = 10, **changes: Any) -> dict[str, Any]:
    """A runner change with one offer on each side."""
    atb, atl = [[back, size]] if back else [], [[lay, size]] if lay else []
    return {"id": selection, "atb": atb, "atl": atl} | changes
