"""The engine at work: slice after slice into Kafka, in step with the clock, or to catch up with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Signal

from backoffice.kernel.clock import Clock, microseconds
from backoffice.simulator.durations import DAY, HOUR, MINUTE, SECOND
from backoffice.simulator.operator import rates
from backoffice.simulator.operator.engine import advance, skip
from backoffice.simulator.operator.incidents import bad_messages
from backoffice.simulator.operator.slices import Slice
from backoffice.simulator.operator.state import dumped, save, write
from backoffice.simulator.operator.world import World
from backoffice.simulator.producing import CountingSender

# A live slice, and the longest one, in which as many events are made at once as pays off.
LIVE = SECOND
LONGEST = 4 * HOUR
EVENTS_AT_ONCE = 50_000
# A move of a price is told twice: by the provider's feed, and by the operator's own price list.
EVENTS_OF_MOVE = 2
# What the engine was away for longer than this is left out.
GAP = 3 * MINUTE
# Events of a visit and what follows from it, on average; measured, and held by a test.
EVENTS_OF_VISIT = 245.0
_WAIT_SECONDS = 0.5


@dataclass(frozen=True)
class Time:
    """Simulated time: it runs ``speed`` times as fast as the clock from ``start`` on; without a speed it is at ``end``.

    ``is_exact``: slices are the same whatever the clock says, so that the same seed gives the same bytes.
    """

    clock: Clock
    start: int
    began: int
    speed: float | None
    end: int | None
    is_exact: bool

    def now(self) -> int:
        """Up to when the operator may have lived."""
        if self.speed is None:
            return self.end or self.start + 1000 * 365 * DAY
        passed = self.start + int((microseconds(self.clock.now()) - self.began) * self.speed)
        return min(passed, self.end) if self.end else passed


def level_for(rate: float, players: int) -> float:
    """By how much visits have to be multiplied so that the players cause ``rate`` events a second over a week."""
    return rate * DAY / SECOND / (players * rates.MEAN_VISITS * EVENTS_OF_VISIT)


def play_rate(world: World) -> float:
    """The events a second that the players there are now cause, averaged over a week."""
    return world.level * world.wanted_now() * rates.MEAN_VISITS * EVENTS_OF_VISIT * SECOND / DAY


def plan(world: World, time: Time) -> int:
    """The end of the next slice: a live one, or a longer one where there is much to catch up with."""
    live = round(LIVE * (time.speed or 1))
    # A player comes at most once in a slice: the more often players come, the shorter it is.
    longest = int(LONGEST / max(world.level, 1.0))
    at_once = min(int(EVENTS_AT_ONCE / (play_rate(world) + EVENTS_OF_MOVE * world.feed_rate) * SECOND), longest)
    if world.now < time.start:
        step = min(at_once, time.start - world.now)
    elif time.is_exact:
        step = live if time.speed else max(at_once, live)
    else:
        step = max(min(time.now() - world.now, at_once), live)
    end = world.now + step
    return min(end, time.end) if time.end else end


def run(
    world: World, sender: CountingSender, schema_ids: Mapping[str, int], time: Time, rate: float,
    *, state: Path | None, stop: Signal, told: Callable[[World], None] = lambda _: None,
) -> None:  # fmt: skip
    """Live on until the end of the time, or until stopped. ``told`` is called after each slice.

    ``rate`` is that of all events; what the players do not cause of it are moves of prices, in history none.

    A slice counts once the cluster has all of it and the state is saved: stopped or killed before, the next start makes
    the same slice again with the same ids, and the streams take what they have already for repeats. While the cluster
    takes one slice, the next is made.
    """
    outgoing = _Outgoing(sender, schema_ids, state)
    while not stop.is_set() and (time.end is None or world.now < time.end):
        if world.planned <= world.now:
            _look_ahead(world, time, rate)
        if world.planned > time.now() and not (outgoing.settle() and _reached(world.planned, time, stop)):
            return
        spans = _lived(world, time, rate)
        if not (outgoing.settle() and all(outgoing.send(world, span) for span in spans)):
            return
        world.is_live = world.is_live or time.now() - world.now < GAP
        outgoing.keep(world)
        told(world)
    outgoing.settle()


def come_back(world: World, sender: CountingSender, schema_ids: Mapping[str, int], time: Time, state: Path) -> bool:
    """After a time away: the slice that may have been sent but not saved is made again, and a long gap is left out.

    What is due in the gap is decided, nobody visits in it. False when stopped before the cluster had it.
    """
    outgoing = _Outgoing(sender, schema_ids, state)
    if world.now < world.planned <= time.now() and not _catch_up(world, outgoing, advance):
        return False
    if world.is_live and not time.is_exact and time.now() - world.now > GAP:
        world.planned = time.now()
        save(world, state)
        return _catch_up(world, outgoing, skip)
    return True


@dataclass
class _Outgoing:
    """The slice that was sent last, and the state after it, to be saved once the cluster has all of the slice."""

    sender: CountingSender
    schema_ids: Mapping[str, int]
    file: Path | None
    _state: bytes | None = None

    def send(self, world: World, span: Slice) -> bool:
        """Queue what happened; False when stopped before all was queued."""
        for garbage in bad_messages(world, span, self.schema_ids):
            if not self.sender.send(garbage.topic, garbage.key, garbage.value, is_garbage=True):
                return False
        for topic, keys, values in span.messages(self.schema_ids):
            if self.sender.send_all(topic, keys, values) < len(values):
                return False
        return True

    def keep(self, world: World) -> None:
        """This is the state after the slice."""
        self._state = dumped(world) if self.file else None

    def settle(self) -> bool:
        """Wait until the cluster has all of the slice, and save the state after it; False when stopped before."""
        if not self.sender.settle():
            return False
        if self.file and self._state:
            write(self._state, self.file)
            self._state = None
        return True


def _catch_up(world: World, outgoing: _Outgoing, live: Callable[[World, int], Slice]) -> bool:
    """Live through the planned slice and save the state after it; False when stopped before the cluster had it."""
    if not outgoing.send(world, live(world, world.planned)):
        return False
    world.planned = 0
    outgoing.keep(world)
    return outgoing.settle()


def _lived(world: World, time: Time, rate: float) -> list[Slice]:
    """The planned slice; in history as many as have enough events to be sent at once: each batch has its price."""
    spans = [advance(world, world.planned)]
    _look_ahead(world, time, rate)
    while world.now < time.start and sum(span.events for span in spans) < EVENTS_AT_ONCE // 2:
        spans.append(advance(world, world.planned))
        _look_ahead(world, time, rate)
    return spans


def _look_ahead(world: World, time: Time, rate: float) -> None:
    """Settle what the next slice is."""
    left = 0.0 if world.now < time.start else max(rate - play_rate(world), 0.0)
    world.feed_rate = left / EVENTS_OF_MOVE
    world.planned = plan(world, time)


def _reached(moment: int, time: Time, stop: Signal) -> bool:
    """Wait for a moment; False when stopped before."""
    while not stop.is_set() and (missing := moment - time.now()) > 0:
        stop.wait(min(missing / SECOND / (time.speed or 1), _WAIT_SECONDS))
    return not stop.is_set()
