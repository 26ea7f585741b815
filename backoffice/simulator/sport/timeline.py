"""When what happens in a fixture; all moments in microseconds since 1970, UTC."""

import random
from bisect import bisect_right
from dataclasses import dataclass

from backoffice.simulator.durations import DAY, HOUR, MINUTE, SECOND
from backoffice.simulator.sport.rates import Play

# A decision that is never made: of a market that an abandoned fixture leaves open.
NEVER = 1 << 62

# How long before the start there is news that moves the prices.
_NEWS_BEFORE = (
    3 * DAY, 2 * DAY, DAY, 12 * HOUR, 6 * HOUR, 3 * HOUR, 2 * HOUR, HOUR, 40 * MINUTE, 20 * MINUTE, 10 * MINUTE,
    5 * MINUTE, 2 * MINUTE,
)  # fmt: skip
_BEFORE_KICK_OFF = 20 * SECOND
_AFTER_KICK_OFF = 5 * SECOND


@dataclass(frozen=True, slots=True)
class Timeline:
    """``starts_at`` was announced, ``kick_off`` is what became of it; no bets from ``closes_at`` on.

    ``incidents`` and ``news`` change prices at once, every ``tick`` in play changes them slowly (0: only incidents do).
    ``halts`` are spans without bets, in order and apart.
    """

    opens_at: int
    starts_at: int
    kick_off: int
    closes_at: int
    ends_at: int
    news: tuple[int, ...]
    incidents: tuple[int, ...]
    halts: tuple[tuple[int, int], ...]
    tick: int = 0
    is_abandoned: bool = False

    def changes(self) -> set[int]:
        """All moments but the ticks at which something is different from the moment before."""
        return {self.kick_off, *self.news, *self.incidents, *(edge for halt in self.halts for edge in halt)}

    def is_halted(self, at: int) -> bool:
        place = bisect_right(self.halts, (at, NEVER)) - 1
        return place >= 0 and at < self.halts[place][1]

    def news_by(self, at: int) -> int:
        """How many pieces of news there have been."""
        return bisect_right(self.news, at)


def news_moments(rng: random.Random, opens_at: int, starts_at: int) -> tuple[int, ...]:
    """When news comes, each a little before or after its usual time."""
    moments = (starts_at - round(before * rng.uniform(0.8, 1.1)) for before in _NEWS_BEFORE)
    return tuple(sorted(moment for moment in moments if moment > opens_at))


def delay(rng: random.Random, play: Play) -> int:
    """How long after the announced start the fixture begins; most begin within a minute."""
    if rng.random() < play.delay_chance:
        return rng.randrange(MINUTE, play.longest_delay)
    return rng.randrange(MINUTE)


def halts_round(kick_off: int, incidents: list[int], length: int, end: int) -> tuple[tuple[int, int], ...]:
    """Spans without bets: while the fixture turns in-play and from each incident on, none longer than to the end."""
    spans = [(kick_off - _BEFORE_KICK_OFF, kick_off + _AFTER_KICK_OFF)]
    for start in sorted(incidents):
        last_start, last_end = spans[-1]
        if start <= last_end:
            spans[-1] = last_start, min(max(last_end, start + length), end)
        elif start < end:
            spans.append((start, min(start + length, end)))
    return tuple(spans)
