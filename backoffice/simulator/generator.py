"""An endless stream of valid events of every record type, the same for the same seed."""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from backoffice.kernel.clock import Clock
from backoffice.simulator.acts import (
    betting,
    bonuses,
    casino,
    feed,
    oversight,
    payments,
    protection,
    registration,
    sessions,
    settling,
)
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.timing import ClockTime, SteadyTime
from backoffice.simulator.world import World

PLAYERS = 2_000

Act = Callable[[World], None]

# How often each act is tried, relative to the others.
_WEIGHTS: tuple[tuple[int, Act], ...] = (
    (200, feed.advance),
    (1, feed.suspend_by_hand),
    (170, betting.place_bet),
    (8, settling.cash_out),
    (2, settling.void_open),
    (2, settling.void_settled),
    (3, settling.resettle),
    (230, casino.play_round),
    (60, sessions.log_in),
    (12, sessions.fail_login),
    (45, sessions.log_out),
    (40, payments.deposit),
    (70, payments.finish_deposit),
    (25, payments.request_withdrawal),
    (20, payments.finish_withdrawal),
    (3, payments.adjust_balance),
    (16, bonuses.grant),
    (8, bonuses.give_up),
    (12, protection.verify),
    (8, protection.change_limit),
    (2, protection.exclude),
    (4, protection.end_exclusion),
    (8, protection.contact),
    (6, protection.submit_document),
    (6, protection.judge_document),
    (2, oversight.restrict),
    (2, oversight.release),
    (4, oversight.open_alert),
    (8, oversight.handle_alert),
    (2, registration.register),
    (2, registration.close_account),
)
_ACTS: tuple[Act, ...] = tuple(act for weight, act in _WEIGHTS for _ in range(weight))
_SETTLE_SHARE = 0.6
_OPENING_SHARE = 0.2


def generate(
    seed: int,
    start: datetime,
    events: int | None,
    step: timedelta,
    *,
    players: int = PLAYERS,
    clock: Clock | None = None,
) -> Iterator[Event]:
    """Events from ``start`` on, one each ``step`` (at least a microsecond), without end where ``events`` is None.

    With a ``clock`` they happen when they are asked for, and ``start`` and ``step`` do not matter. No two events
    happen in the same microsecond, and none happens before the one that went out before it.
    """
    time = ClockTime(clock) if clock else SteadyTime(start, step)
    return islice(_stream(World(random.Random(seed), time, players)), events)


def _stream(world: World) -> Iterator[Event]:
    while True:
        world.begin()
        next_act(world)(world)
        yield from world.drain()


def next_act(world: World) -> Act:
    """Bets whose result is known come before anything else, and players until there are enough of them."""
    fate = world.rng.random()
    if world.due and fate < _SETTLE_SHARE:
        return settling.settle_next
    if len(world.accounts) < world.players and fate > 1 - _OPENING_SHARE:
        return registration.register
    return _ACTS[int(world.rng.random() * len(_ACTS))]
