"""Faults that bring something of their own: attackers, planted players, bad messages.

What they do happens at moments that follow from the fault alone, and planted players have numbers of their own, so that
everybody else stays as they would have been.
"""

import random
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from backoffice.kernel.clock import at_microseconds
from backoffice.simulator.durations import MINUTE, SECOND
from backoffice.simulator.garbage import KINDS, Garbage, bad_message
from backoffice.simulator.operator import rates
from backoffice.simulator.operator.arrays import Ints, Rows
from backoffice.simulator.operator.arrivals import open_accounts
from backoffice.simulator.operator.betting import place_bets
from backoffice.simulator.operator.due import settle_due
from backoffice.simulator.operator.faults import Fault
from backoffice.simulator.operator.payments import start_deposit
from backoffice.simulator.operator.people import device_names, made, owners
from backoffice.simulator.operator.slices import Slice
from backoffice.simulator.operator.sportsbook import Choice, choice_at
from backoffice.simulator.operator.world import World

STUFFING_A_SECOND = 2.0
GARBAGE_A_SECOND = 1.0
# Of an attacker's or planted player's own: not in use by anybody else.
_ATTACKING_ADDRESS, _ATTACKING_COUNTRY = "203.0.113.254", "RO"
STRUCTURERS, STRUCTURED_DEPOSITS, STRUCTURED_SHARE = 3, 3, 0.95
ABUSERS, ABUSED_DEPOSIT = 12, 1_000
PAIRS, MATCHED_BETS, MATCHED_DEPOSIT, MATCHED_STAKE = 3, 6, 60_000, 8_000
_GROUPS = {"structuring": 1, "bonus_abuse": 2, "matched_betting": 3}
_NUMBERS = 1_000
# The planted players' method, by its place in brands.METHODS.
_EWALLET = 3


def happen(world: World) -> None:
    """What the faults of this slice bring."""
    for fault in world.faults:
        bring = _BRINGS.get(fault.name)
        if bring is not None and fault.start < world.slice.end and world.slice.start < fault.end:
            bring(world, fault)


def bad_messages(world: World, span: Slice, schema_ids: Mapping[str, int]) -> Iterator[Garbage]:
    """What a producer that has gone wrong sends in the slice."""
    for fault in world.faults:
        if fault.name == "garbage_producer":
            for at in _moments(fault, span, GARBAGE_A_SECOND):
                rng = random.Random(f"{world.seed} garbage {at}")
                yield bad_message(rng.choice(KINDS), rng, schema_ids, at=at_microseconds(at))


def _stuff_credentials(world: World, fault: Fault) -> None:
    """One address tries the passwords of many players."""
    at = np.array(_moments(fault, world.slice, STUFFING_A_SECOND), np.int64)
    house = world.chance.keys("attack", np.full(len(at), fault.start))
    old = np.flatnonzero(world.players["registered_at"] < fault.start)
    if not len(old) or not len(at):
        return
    who = old[(world.chance.uniform("victim", house, at) * len(old)).astype(np.int64)]
    victims = owners(world.players, who)._replace(key=house)
    devices = device_names(world.chance.bits("attacking device", house, at) >> np.uint64(24))
    world.slice.emit(
        "LoginFailed", victims, at,
        reason="wrong password", channel="web", country=_ATTACKING_COUNTRY, device_id=devices, ip=_ATTACKING_ADDRESS,
    )  # fmt: skip


def _structure(world: World, fault: Fault) -> None:
    """A few players deposit again and again just below the threshold of due diligence."""
    step = (fault.end - fault.start) // (STRUCTURED_DEPOSITS + 1)
    who = _planted(world, fault, fault.start + np.arange(STRUCTURERS) * SECOND)
    for number in range(1, STRUCTURED_DEPOSITS + 1):
        _deposit(world, who, fault.start + number * step, rates.CDD_THRESHOLD * STRUCTURED_SHARE - number * 1_000)


def _abuse_bonuses(world: World, fault: Fault) -> None:
    """Many accounts are opened on one device, each for its welcome bonus."""
    step = (fault.end - fault.start) // ABUSERS
    opened = fault.start + np.arange(ABUSERS) * step
    who = _planted(world, fault, opened)
    for player in who:
        _deposit(world, np.array([player]), int(world.players["registered_at"][player]) + MINUTE // 6, ABUSED_DEPOSIT)


def _match_bets(world: World, fault: Fault) -> None:
    """Pairs of players on one device bet on both sides of a market, for the bonus or to move money."""
    step = (fault.end - fault.start) // (MATCHED_BETS + 2)
    who = _planted(world, fault, np.full(2 * PAIRS, fault.start) + np.arange(2 * PAIRS) * SECOND)
    _deposit(world, who, fault.start + step, MATCHED_DEPOSIT)
    for number in range(2, MATCHED_BETS + 2):
        at = fault.start + number * step
        if world.slice.start <= at < world.slice.end:
            _bet_both_sides(world, who, at, number)


def _bet_both_sides(world: World, who: Ints, at: int, number: int) -> None:
    settle_due(world, who, at)
    able = world.players["cash"][who] >= MATCHED_STAKE * 2 * world.players["unit"][who]
    sides = _two_sides(world, at, number)
    if not sides:
        return
    for pair in range(PAIRS):
        both = who[2 * pair : 2 * pair + 2]
        if able[2 * pair : 2 * pair + 2].all():
            world.reach(both, np.full(2, at))
            stakes = np.array([round(MATCHED_STAKE * sides[1 - side].odds / 1_000) for side in range(2)])
            stakes = (stakes * world.players["unit"][both]).astype(np.int64)
            place_bets(world, both, [[side] for side in sides], stakes, np.zeros(2, bool))


def _two_sides(world: World, at: int, number: int) -> list[Choice]:
    """Both outcomes of a market that has two, at prices near each other."""
    for fixture in world.sportsbook.calendar.fixtures(at, at + 1):
        quotes = fixture.quotes(at)
        counts = np.bincount(quotes.market) if quotes.market.size else np.zeros(0, np.int64)
        for market in np.flatnonzero(counts == 2)[number % 3 :]:
            places = np.flatnonzero((quotes.market == market) & (quotes.status == 0))
            if len(places) == 2 and quotes.odds[places].max() < 3_000:
                return [choice_at(fixture, at, int(place)) for place in places]
    return []


def _planted(world: World, fault: Fault, opened: Ints) -> Ints:
    """The fault's own players that have opened their accounts by now; those whose moment has come open them."""
    group = _GROUPS[fault.name]
    due = (opened >= world.slice.start) & (opened < world.slice.end)
    if due.any():
        numbers = fault.start // SECOND % 10**9 * _NUMBERS + np.flatnonzero(due)
        newcomers = made(world.chance, numbers, opened[due], group)
        _make_alike(newcomers, world, fault)
        open_accounts(world, world.join(newcomers))
    mine = (world.players["group"] == group) & (world.players["registered_at"] >= fault.start)
    return np.flatnonzero(mine & (world.players["registered_at"] < fault.start + (fault.end - fault.start)))


def _make_alike(newcomers: Rows, world: World, fault: Fault) -> None:
    """They share a device and an address and do nothing but what the fault has them do."""
    newcomers["device"] = world.chance.keys(f"device of {fault.name}", np.array([fault.start])) >> np.uint64(24)
    newcomers["ip"] = 7
    newcomers["visits"] = 0.0
    newcomers["methods"] = _EWALLET


def _deposit(world: World, who: Ints, at: int, cents: float) -> None:
    """A deposit of each, at this moment, where it lies in the slice; in euro cents."""
    if not world.slice.start <= at < world.slice.end:
        return
    settle_due(world, who, at)
    free = who[world.players["deposit_id"][who] == b""]
    world.reach(free, np.full(len(free), at))
    amounts = (cents * world.players["unit"][free]).astype(np.int64)
    start_deposit(world, free, amounts, world.players["methods"][free, 0])


def _moments(fault: Fault, span: Slice, a_second: float) -> list[int]:
    """Evenly spread over the part of the fault that lies in the slice; the same however time is sliced."""
    step = round(SECOND / a_second)
    first = -(-(max(span.start, fault.start) - fault.start) // step)
    last = -(-(min(span.end, fault.end) - fault.start) // step)
    return [fault.start + number * step for number in range(first, last)]


_BRINGS: Mapping[str, Callable[[World, Fault], None]] = {
    "credential_stuffing": _stuff_credentials,
    "structuring": _structure,
    "bonus_abuse": _abuse_bonuses,
    "matched_betting": _match_bets,
}
