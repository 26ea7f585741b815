"""Where a dead letter stood in its log, carried along when it is sent again.

Sent again it comes last, and would win over all that was told meanwhile; what it says is as old as it was at first.
"""

from collections.abc import Iterable

# When a message was logged (milliseconds since 1970) and its offset: by these, states of one key are ordered.
Standing = tuple[int, int]

_OFFSET, _LOGGED = "replay_offset", "replay_logged"
_MOST = 2**63 - 1

Headers = Iterable[tuple[str, bytes | str | None]] | None


def headers_of(offset: int, logged: int) -> dict[str, str]:
    """The headers of a message sent again: its offset at first, and when it was logged (ms); 0 where nobody knows."""
    return {_OFFSET: str(offset), _LOGGED: str(logged)}


def standing_of(headers: Headers) -> Standing | None:
    """What ``headers_of`` put into a message's headers; None where they say nothing of the kind."""
    found = {name: value for name, value in headers or () if name in (_OFFSET, _LOGGED)}
    if len(found) < 2:
        return None
    try:
        logged, offset = int(found[_LOGGED] or ""), int(found[_OFFSET] or "")
    except ValueError:
        return None
    return (logged, offset) if 0 < logged <= _MOST // 1_000 and 0 <= offset <= _MOST else None
