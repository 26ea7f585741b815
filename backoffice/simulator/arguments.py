"""What people type at both generators' commands, read or refused."""

from argparse import ArgumentTypeError
from datetime import datetime

NOW = "now"


def moment(text: str) -> datetime | None:
    """An ISO time with its zone; None for now."""
    if text == NOW:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is no ISO time such as 2026-01-01T00:00:00Z") from error
    if found.tzinfo is None:
        raise ArgumentTypeError(f"{text} has no time zone; write {text}Z for UTC")
    return found


def rate(text: str) -> float:
    """Events a second."""
    found = float(text)
    if not 0 < found <= 1_000_000:
        raise ArgumentTypeError("a rate is above 0 and at most a million a second")
    return found


def count(text: str) -> int:
    found = int(text)
    if found < 1:
        raise ArgumentTypeError("at least 1")
    return found
