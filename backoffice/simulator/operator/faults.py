"""Incidents with a known cause, a known beginning and a known end."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from backoffice.kernel.clock import microseconds
from backoffice.simulator.durations import duration
from backoffice.simulator.operator.arrays import Flags, Floats, Ints


@dataclass(frozen=True)
class Fault:
    """One of ``NAMES``, from ``start`` up to ``end`` (µs since 1970)."""

    name: str
    start: int
    end: int


NAMES = (
    "provider_outage", "credential_stuffing", "overpaying_game", "structuring", "bonus_abuse", "matched_betting",
    "silent_feed", "garbage_producer", "deposit_drift",
)  # fmt: skip
DEFAULT_START, DEFAULT_LENGTH = "1m", "10m"
# The payment method whose provider is away, by its place in brands.METHODS; the game that pays too much, in GAMES.
OUTAGE_METHOD = 0
OVERPAYING_GAME = 2
OVERPAYING = 1.6
# Deposits grow by this share in a day of drift.
DRIFT = 0.06


def during(faults: tuple[Fault, ...], name: str, at: Ints) -> Flags:
    """At which moments a fault of this name goes on."""
    flags: Flags = np.zeros(len(at), bool)
    for fault in faults:
        if fault.name == name:
            np.logical_or(flags, (at >= fault.start) & (at < fault.end), out=flags)
    return flags


def is_on(faults: tuple[Fault, ...], name: str, at: int) -> bool:
    return any(fault.name == name and fault.start <= at < fault.end for fault in faults)


def declined_by_outage(faults: tuple[Fault, ...], method: Ints, at: Ints) -> Flags:
    return np.asarray(during(faults, "provider_outage", at) & (method == OUTAGE_METHOD))


def overpaid(faults: tuple[Fault, ...], multiples: Ints, game: Ints, at: Ints) -> Ints:
    """What rounds pay where one game pays too much."""
    wrong = during(faults, "overpaying_game", at) & (game == OVERPAYING_GAME)
    return np.where(wrong, (multiples * OVERPAYING).astype(np.int64), multiples)


def drifted(faults: tuple[Fault, ...], at: Ints) -> Floats:
    """By how much deposits have drifted away from what they were."""
    factor = np.ones(len(at))
    for fault in faults:
        if fault.name == "deposit_drift":
            days = (np.clip(at, fault.start, fault.end) - fault.start) / (24 * 3_600_000_000)
            factor *= np.where(at < fault.end, (1 + DRIFT) ** days, 1.0)
    return factor


def parsed(text: str, origin: int) -> tuple[Fault, ...]:
    """The faults of a command line: ``name[@start[+length]]``, separated by commas.

    ``start`` is an ISO time, or a span from ``origin`` on (negative: before it); without one it is a minute after.

    Raises:
        ValueError: a fault or a time that nobody knows.
    """
    return tuple(_parsed_one(part.strip(), origin) for part in text.split(",") if part.strip())


def _parsed_one(text: str, origin: int) -> Fault:
    name, _, times = text.partition("@")
    if name not in NAMES:
        raise ValueError(f"no fault is called {name!r}; there are {', '.join(NAMES)}")
    begin, plus, length = times.rpartition("+") if "+" in times else (times, "", "")
    start = origin + duration(DEFAULT_START) if not begin else _moment(begin, origin)
    return Fault(name, start, start + duration(length if plus else DEFAULT_LENGTH))


def _moment(text: str, origin: int) -> int:
    try:
        return origin + duration(text)
    except ValueError:
        at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone; write {text}Z for UTC")
    return microseconds(at)
