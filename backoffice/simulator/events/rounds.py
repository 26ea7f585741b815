"""Builder for the topic game-rounds."""

from typing import NotRequired, TypedDict, Unpack

from backoffice.simulator.events.envelope import Event, Head, event


class RoundCompleted(TypedDict):
    """``stake``, ``win`` and ``jackpot_win`` are cash, none part of another; the bonus fields are bonus money."""

    round_id: str
    player_id: str
    game_id: str
    provider: str
    vertical: str
    currency: str
    stake: int
    win: int
    jackpot_win: int
    bonus_stake: int
    bonus_win: int
    session_id: NotRequired[str | None]
    started_at: int


def round_completed(head: Head, **values: Unpack[RoundCompleted]) -> Event:
    return event("RoundCompleted", values["player_id"], head, values)
