"""Where what a message says stands in its log, carried along where that is not the message's own place.

A dead letter that is sent again comes last, and would win over all that was told meanwhile; what it says is as old as
it was at first, however often it died. A tombstone of ours was decided by what the tables said then: it takes back
that, and nothing of what was told until it came to the log. Whoever may write to a topic can put any headers there: a
place is believed only where it lies before the message's own, so that nothing gets newer by them. That follows from the
log alone, and so it is the same for the streams, for a rebuild and for reconciliation, also over a database that knows
nothing of the dead letter.
"""

from collections.abc import Iterable

# When a message was logged (milliseconds since 1970) and its offset: by these, states of one key are ordered.
Standing = tuple[int, int]

# Which dead letter it is that was sent again.
REPLAY_OF = "replay_of"
_OFFSET, _LOGGED, _APPENDED = "replay_offset", "replay_logged", "replay_appended"
_MOST = 2**63 - 1

Headers = Iterable[tuple[str, bytes | str | None]] | None


def standing_headers(logged: int, offset: int) -> dict[str, str]:
    """The headers of a message sent again, or of a tombstone: when what it is about was logged (milliseconds; 0 where
    nobody knows), and its offset."""
    return {_OFFSET: str(offset), _LOGGED: str(logged)}


def appended_header(appended: int) -> dict[str, str]:
    """The header of a message sent again that says when the broker took it at first (milliseconds); none where nobody
    knows that. By that time, and not by how far the log had come, it was told."""
    return {_APPENDED: str(appended)} if appended else {}


def claims_standing(headers: Headers) -> bool:
    """Whether the headers speak of another place at all."""
    return any(name in (_OFFSET, _LOGGED) for name, _ in headers or ())


def standing_of(headers: Headers, own: Standing) -> Standing | None:
    """What ``standing_headers`` put into the headers of a message that stands at ``own``.

    None where they say nothing of the kind, or a place that is not before its own. Without a time a place is before all
    that have one.
    """
    found = {name: value for name, value in headers or () if name in (_OFFSET, _LOGGED)}
    if len(found) < 2:
        return None
    try:
        logged, offset = int(found[_LOGGED] or ""), int(found[_OFFSET] or "")
    except ValueError:
        return None
    return (logged, offset) if logged >= 0 and 0 <= offset <= _MOST and (logged, offset) < own else None


def appended_of(headers: Headers, first: Standing) -> int:
    """What ``appended_header`` put into the headers of a message that stood ``first``; 0 where they do not say it, or a
    time to which the log had not come by then."""
    try:
        said = int(dict(headers or ()).get(_APPENDED) or 0)
    except ValueError:
        return 0
    return said if 0 < said <= first[0] else 0
