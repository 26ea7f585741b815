"""Spans of time in microseconds, and as people type them: 30d, 12h, 5m, 90s."""

import re

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def duration(text: str) -> int:
    """Microseconds.

    Raises:
        ValueError: the text is no number with a unit.
    """
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)([smhd])", text)
    if found is None:
        raise ValueError(f"{text!r} is no span of time; write a number and s, m, h or d, such as 30d or 90s")
    return round(float(found[1]) * _UNITS[found[2]])
