"""What the environment gives: a value understood and within its bounds, or a sentence that says what is meant."""

import os
import re

from django.core.exceptions import ImproperlyConfigured

_PLAIN = re.compile(r"-?\d{1,15}(\.\d{1,9})?", re.ASCII)
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def number(name: str, default: float, *, least: float, most: float) -> float:
    """A plain number such as ``300`` or ``0.5``, in the unit that the setting has: none is read out of a text like 5m.

    Raises:
        ImproperlyConfigured: it is something else, or out of bounds.
    """
    text = os.environ.get(name)
    if text is None:
        return default
    if not _PLAIN.fullmatch(text.strip()):
        raise ImproperlyConfigured(
            f"{name}: {text!r} is not a plain number such as 300 or 0.5. Write one without a unit."
        )
    value = float(text)
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name}: {text} is out of bounds. Write a number from {least:g} to {most:g}.")
    return value


def whole(name: str, default: int, *, least: int, most: int) -> int:
    """The same without a fraction."""
    value = number(name, default, least=least, most=most)
    if value != int(value):
        raise ImproperlyConfigured(f"{name}: {value:g} is not whole. Write a number without a fraction.")
    return int(value)


def flag(name: str, *, default: bool) -> bool:
    """
    Raises:
        ImproperlyConfigured: it is neither a yes nor a no.
    """
    text = os.environ.get(name)
    if text is None:
        return default
    if text.strip().lower() not in _WORDS:
        raise ImproperlyConfigured(f"{name}: {text!r} is neither yes nor no. Write 1 or 0.")
    return _WORDS[text.strip().lower()]


def level(name: str, default: str) -> str:
    """
    Raises:
        ImproperlyConfigured: it is no level of Python's logging.
    """
    text = os.environ.get(name, default).strip().upper()
    if text not in _LEVELS:
        raise ImproperlyConfigured(f"{name}: {text!r} is no level. Write one of {', '.join(_LEVELS)}.")
    return text
