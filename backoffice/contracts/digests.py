"""A short digest of an event's body, by which a repeated message is told from another one under the same id.

XXH3 over the Avro body, seeded by the record's name: the same bytes under another record are another event. The frame
is left out, as a registry may have given the same schema another id meanwhile. It tells mistakes apart, not forgeries.
"""

from collections.abc import Sequence
from functools import cache
from itertools import repeat
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from .columns import FRAME


def digests(record: str, messages: Sequence[bytes]) -> NDArray[np.int64]:
    """The digest of each message, frame included in what is given, as a signed 64-bit number."""
    bodies = [message[FRAME:] for message in messages]
    found = np.fromiter(map(xxh3_64_intdigest, bodies, repeat(_seed(record))), np.uint64, len(bodies))
    return found.view(np.int64)


@cache
def _seed(record: str) -> int:
    return crc32(record.encode())
