"""Version 7 UUIDs, a whole column at a time."""

import numpy as np
import numpy.typing as npt

from backoffice.simulator.operator.arrays import ID, Ids, Ints, Keys
from backoffice.simulator.operator.chance import Chance

# Two hexadecimal digits for each value of a byte, as they stand in a text.
_PAIRS = np.array([int.from_bytes(f"{value:02x}".encode(), "little") for value in range(256)], "<u2")
# Where the pairs of digits stand in the text of an id, in runs between the hyphens.
_RUNS = ((0, 0, 4), (4, 9, 2), (6, 14, 2), (8, 19, 2), (10, 24, 6))
_HYPHENS = (8, 13, 18, 23)


def ids(chance: Chance, what: str, key: Keys, at: Ints) -> Ids:
    """The ids of what happened to each key at a moment (µs since 1970): the same for the same seed.

    Source: RFC 9562 §5.7: 48 bits of milliseconds, version, 12 random bits, variant, 62 random bits.
    """
    octets = np.empty((len(at), 16), np.uint8)
    high = (at // 1_000).astype(np.uint64) << np.uint64(16)
    noise = chance.bits(f"{what}, high", key, at)
    octets[:, :8] = _big_endian(high | np.uint64(0x7000) | (noise >> np.uint64(52)))
    low = chance.bits(f"{what}, low", key, at) >> np.uint64(2)
    octets[:, 8:] = _big_endian(low | np.uint64(1 << 63))
    return texts(octets)


def texts(octets: npt.NDArray[np.uint8]) -> Ids:
    """The texts of ids of 16 bytes each."""
    letters = np.empty((len(octets), 36), np.uint8)
    for first, start, count in _RUNS:
        pairs = _PAIRS[octets[:, first : first + count]]
        letters[:, start : start + 2 * count] = pairs.view(np.uint8)
    for place in _HYPHENS:
        letters[:, place] = ord("-")
    return np.frombuffer(letters.tobytes(), ID)


def _big_endian(values: Keys) -> npt.NDArray[np.uint8]:
    return values.astype(">u8").view(np.uint8).reshape(-1, 8)
