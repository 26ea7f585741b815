"""What workers say to web processes: numbered, so that a message that is missing is noticed. Pure.

A message is a JSON object. ``speaker`` is the process that says it and ``number`` counts what it said; ``said`` goes
from the names of publications to what changed in them: a list of ``[leader, {key: row}]`` (see `Board.fold`), or null:
"read it anew". ``prices:*`` are all that begin so, ``*`` is everything. Who has nothing to say says so once a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from .board import STANDING, Rows

Updates = Sequence[tuple[str, Rows]]
Said = Mapping[str, Updates | None]

LONGEST = 8 << 20
SILENCE_SECONDS = 3.0
# A process that ended without a word may also be one that Redis does not let speak.
FORGOTTEN_SECONDS = 600.0
_SCALARS = frozenset({str, int, float, bool, type(None)})
_HEAD = {"speaker": str, "number": int, "said": dict, "leaves": bool}


class BadMessageError(ValueError):
    """Bytes that are no message; the text says why."""


@dataclass(frozen=True)
class Message:
    """With ``leaves`` it is the speaker's last."""

    speaker: str
    number: int
    said: Said
    leaves: bool = False


def encoded(message: Message) -> bytes:
    """As bytes; what would be too long only says what has to be read anew."""
    data = orjson.dumps(message)
    if len(data) > LONGEST:
        data = orjson.dumps(Message(message.speaker, message.number, dict.fromkeys(message.said), message.leaves))
    return data if len(data) <= LONGEST else orjson.dumps(Message(message.speaker, message.number, {"*": None}))


def parsed(data: bytes) -> Message:
    """Raises BadMessageError."""
    if len(data) > LONGEST:
        raise BadMessageError(f"it has {len(data):,} bytes; {LONGEST:,} is the most.")
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadMessageError(f"it is no JSON: {error}") from None
    if not isinstance(message, dict) or {name: type(value) for name, value in message.items()} != _HEAD:
        raise BadMessageError(f"it has not {', '.join(_HEAD)}, each of its type.")
    for name, updates in message["said"].items():
        if not (updates is None or (type(updates) is list and all(map(_is_update, updates)))):
            raise BadMessageError(f"{name[:80]} is neither null nor a list of groups of rows, each with its leader.")
    return Message(**message)


def _is_update(update: Any) -> bool:
    if type(update) is not list or len(update) != 2:
        return False
    leader, rows = update
    return type(leader) is str and type(rows) is dict and leader in rows and all(map(_is_row, rows.values()))


def _is_row(row: Any) -> bool:
    return (
        type(row) is dict
        and _SCALARS.issuperset(map(type, row.values()))
        and all(type(row.get(name, 0)) is int for name in STANDING)
    )


class Speakers:
    """Who is heard. Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._heard_at: dict[str, float] = {}

    def hear(self, message: Message, now: float) -> bool:
        """Whether something may have been said that was not heard: a number is missing, or the speaker is new."""
        known = self._numbers.get(message.speaker)
        if message.leaves:
            self._forget(message.speaker)
        else:
            self._numbers[message.speaker] = message.number
            self._heard_at[message.speaker] = now
        return known is None or message.number != known + 1

    def all_speak(self, now: float) -> bool:
        """Whether there is at least one, and none has fallen silent: then whatever changes is heard of."""
        for speaker, heard_at in list(self._heard_at.items()):
            if now - heard_at > FORGOTTEN_SECONDS:
                self._forget(speaker)
        return bool(self._heard_at) and now - min(self._heard_at.values()) <= SILENCE_SECONDS

    def any_speak(self, now: float) -> bool:
        return bool(self._heard_at) and now - max(self._heard_at.values()) <= SILENCE_SECONDS

    def _forget(self, speaker: str) -> None:
        self._numbers.pop(speaker, None)
        self._heard_at.pop(speaker, None)
