"""Identifiers that sort by time, and identifiers that follow from what they name."""

import hashlib
import random
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from .clock import at_milliseconds, milliseconds

VERSION_7 = 0x7 << 76
VARIANT = 0b10 << 62


def uuid7(rng: random.Random, at: datetime) -> UUID:
    """A version 7 UUID: 48 bits of milliseconds since 1970, the rest random.

    Source: RFC 9562 §5.7.
    """
    return _uuid7(at, rng.getrandbits(74))


def derived_uuid7(at: datetime, *names: str) -> UUID:
    """A version 7 UUID that follows from its time and the names alone: the same event gets the same id again."""
    return _uuid7(at, int.from_bytes(derived_mask(*names)) >> 54)


def uuid7_floor(at: datetime) -> UUID:
    """The bound between the version 7 UUIDs made before ``at`` and those made from then on."""
    return UUID(int=milliseconds(at) << 80)


def uuid7_time(value: UUID) -> datetime:
    """When a version 7 UUID was made, to the millisecond."""
    return at_milliseconds(value.int >> 80)


@lru_cache(maxsize=4096)
def derived_mask(*names: str) -> bytes:
    """16 bytes that follow from the names alone.

    XORed over an id they give the id of something that belongs to it (a player's cash account in EUR): one to one for
    given names, and as unlikely to collide between different names as random ids are.
    """
    return hashlib.sha256("\x1f".join(names).encode()).digest()[:16]


def derived_id(*names: str) -> UUID:
    """The id of a thing that only its names identify (the revenue account of slots in EUR)."""
    return UUID(bytes=derived_mask(*names))


def _uuid7(at: datetime, noise: int) -> UUID:
    return UUID(int=milliseconds(at) << 80 | VERSION_7 | (noise >> 62) << 64 | VARIANT | noise & ((1 << 62) - 1))
