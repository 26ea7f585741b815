"""How many messages a lane asks Kafka for, and how long it waits for them."""

from .lane import Limits

# The first batch of a burst is soon on its way, and each next one is twice as large: both halves of the lane are at
# work from the beginning, and a long way behind is caught up with in batches that cost little a message.
FIRST = 10_000
# A batch costs some 10 ms of two processors however few messages it has. Where fewer than these came last time, wait
# this much longer for the next: a thousand events a second over all lanes then take two thirds of the machine, not all.
FEW = 200
LONGER = 6


def next_size(limits: Limits, came: int, size: int) -> int:
    """Twice as many messages as came last (``size`` bytes of values), but no more than a batch may have of either."""
    fitting = limits.batch_bytes * came // size if size else limits.batch_size
    return max(1, min(limits.batch_size, fitting, max(FIRST, 2 * came)))


def next_linger(limits: Limits, came: int) -> float:
    """Seconds to wait for as many."""
    return limits.linger * (1 if came >= FEW else LONGER)
