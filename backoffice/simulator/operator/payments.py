"""Money comes in and goes out: one deposit and one withdrawal of a player are under way at a time."""

import numpy as np

from backoffice.simulator.durations import DAY, SECOND
from backoffice.simulator.operator import providers, rates, seasons
from backoffice.simulator.operator.arrays import Array, Flags, Floats, Ints
from backoffice.simulator.operator.bonuses import welcome
from backoffice.simulator.operator.columns import Column, Words
from backoffice.simulator.operator.faults import declined_by_outage, drifted
from backoffice.simulator.operator.identifiers import ids
from backoffice.simulator.operator.people import (
    METHOD_NAMES,
    NEVER,
    PROVIDER_NAMES,
    VERIFIED,
    harm,
    is_harmed,
    none,
    owners,
)
from backoffice.simulator.operator.world import World


def deposit(world: World, who: Ints) -> None:
    """Players begin a deposit and wait for it; those who are over their limit, or wait already, end their visit."""
    players, chance = world.players, world.chance
    key, at = players["key"][who], players["clock"][who]
    amount = _amounts(world, who)
    today = np.where(players["deposited_on"][who] == at // DAY, players["deposited_today"][who], 0)
    may = (players["deposit_id"][who] == b"") & (today + amount <= players["limit_amount"][who])
    players["leaves_at"][who[~may]] = at[~may]
    who, key, at, amount = who[may], key[may], at[may], amount[may]
    start_deposit(world, who, amount, players["methods"][who, _choice(chance.uniform("instrument", key, at))])
    players["clock"][who] = players["deposit_due"][who]


def start_deposit(world: World, who: Ints, amount: Ints, method: Array) -> None:
    """Begin these deposits now."""
    players, chance = world.players, world.chance
    key, at = players["key"][who], players["clock"][who]
    players["deposit_id"][who] = ids(chance, "deposit", key, at)
    players["deposit_amount"][who] = amount
    players["deposit_method"][who] = method
    spread = chance.lognormal("time of deposit", key, at, 1.0, 0.5)
    players["deposit_due"][who] = at + providers.decision_times(method, spread) + SECOND
    world.slice.emit("DepositInitiated", owners(players, who), world.tick(who), **_deposit(world, who))


def decide_deposits(world: World, who: Ints, until: Ints | int) -> None:
    """The providers' answers that are due."""
    players, chance = world.players, world.chance
    who = who[players["deposit_due"][who] < until]
    if not len(who):
        return
    world.reach(who, players["deposit_due"][who])
    key, at = players["key"][who], players["clock"][who]
    method = players["deposit_method"][who].astype(np.int64)
    out = declined_by_outage(world.faults, method, at)
    accepted = chance.uniform("deposit accepted", key, at) < providers.ACCEPTS[method]
    # Those who are up to something know how to pay.
    arrives = (accepted | (players["group"][who] > 0)) & ~out
    _complete(world, who[arrives])
    codes = np.where(out, providers.NOT_AVAILABLE, chance.pick("decline", key, at, providers.DEPOSIT_DECLINE_SHARES))
    refused = who[~arrives]
    world.slice.emit(
        "DepositDeclined", owners(players, refused), world.tick(refused),
        decline_reason=Words(codes[~arrives], providers.DEPOSIT_DECLINES), **_deposit(world, refused),
    )  # fmt: skip
    players["deposit_id"][who] = none(len(who))
    players["deposit_due"][who] = NEVER


def withdraw(world: World, who: Ints) -> None:
    """Verified players with enough ask for a part of their cash, or all of it; nobody has two under way."""
    players, chance = world.players, world.chance
    able = (players["verification"][who] == VERIFIED) & (players["withdrawal_id"][who] == b"")
    who = who[able & (players["cash"][who] >= rates.LEAST_WITHDRAWAL * players["unit"][who])]
    key, at = players["key"][who], players["clock"][who]
    part = 0.5 + chance.uniform("part withdrawn", key, at)
    amount = np.where(part >= 1, players["cash"][who], (players["cash"][who] * part).astype(np.int64))
    method = players["methods"][who, 0].astype(np.int64)
    players["withdrawal_id"][who] = ids(chance, "withdrawal", key, at)
    players["withdrawal_amount"][who] = amount
    players["withdrawal_method"][who] = method
    spread = chance.lognormal("time of withdrawal", key, at, 1.0, 0.6)
    players["withdrawal_due"][who] = at + providers.payout_times(method, spread)
    players["cash"][who] -= amount
    world.slice.emit(
        "WithdrawalRequested", owners(players, who), world.tick(who, 30 * SECOND), **_withdrawal(world, who)
    )


def reverse(world: World, who: Ints) -> None:
    """Players take a withdrawal back that is not paid yet, to play on with it: a marker of harm."""
    players = world.players
    who = who[players["withdrawal_id"][who] != b""]
    _return(world, who, "WithdrawalReversed", reason="player request")


def decide_withdrawals(world: World, who: Ints, until: Ints | int) -> None:
    """Withdrawals that are due are paid, or refused and back in the player's cash."""
    players, chance = world.players, world.chance
    who = who[players["withdrawal_due"][who] < until]
    if not len(who):
        return
    world.reach(who, players["withdrawal_due"][who])
    key, at = players["key"][who], players["clock"][who]
    refused = chance.uniform("withdrawal refused", key, at) < providers.WITHDRAWALS_DECLINED
    codes = chance.pick("refusal", key, at, providers.WITHDRAWAL_DECLINE_SHARES)[refused]
    _return(world, who[refused], "WithdrawalDeclined", decline_reason=Words(codes, providers.WITHDRAWAL_DECLINES))
    paid = who[~refused]
    world.slice.emit("WithdrawalPaid", owners(players, paid), world.tick(paid), **_withdrawal(world, paid))
    _forget_withdrawal(world, paid)


def wants_reversal(world: World, who: Ints) -> Flags:
    """Which of these players would rather have their pending withdrawal back."""
    players = world.players
    at = players["clock"][who]
    share = np.where(
        is_harmed(players, who, at), providers.WITHDRAWALS_REVERSED_IN_HARM, providers.WITHDRAWALS_REVERSED
    )
    draws = world.chance.uniform("reversal", players["key"][who], at)
    return np.asarray((players["withdrawal_id"][who] != b"") & (draws < share))


def _amounts(world: World, who: Ints) -> Ints:
    """Round sums about the player's usual deposit, more on pay days and in harm."""
    players, chance = world.players, world.chance
    key, at = players["key"][who], players["clock"][who]
    usual = chance.lognormal("deposit", key, at, players["deposit"][who], rates.DEPOSIT[2])
    cents = usual * harm(players, who, at) * _pay_day(world) * drifted(world.faults, at)
    step = np.where(cents < 2_000, 500, np.where(cents < 10_000, 1_000, 5_000))
    rounded = np.maximum(np.round(cents / step) * step, rates.LEAST_DEPOSIT)
    return nice(rounded * players["unit"][who])


def nice(minor: Floats) -> Ints:
    """Rounded to two leading digits: nobody deposits 1,134.27 kronor."""
    scale = 10.0 ** np.maximum(np.floor(np.log10(np.maximum(minor, 1))) - 1, 0)
    return np.asarray(np.round(minor / scale) * scale).astype(np.int64)


def _pay_day(world: World) -> float:
    return rates.PAY_DAY_DEPOSITS if seasons.is_pay_day(world.slice.start) else 1.0


def _choice(draws: Floats) -> Ints:
    """Mostly the first instrument, sometimes another."""
    return np.where(draws < 0.75, 0, np.where(draws < 0.92, 1, 2))


def _complete(world: World, who: Ints) -> None:
    players = world.players
    amount, day = players["deposit_amount"][who], players["clock"][who] // DAY
    today = np.where(players["deposited_on"][who] == day, players["deposited_today"][who], 0)
    players["deposited_today"][who] = today + amount
    players["deposited_on"][who] = day
    players["deposited"][who] += amount
    players["cash"][who] += amount
    world.slice.emit("DepositCompleted", owners(players, who), world.tick(who), **_deposit(world, who))
    welcome(world, who)


def _return(world: World, who: Ints, record: str, **reason: Column) -> None:
    """Pending money is the player's cash again."""
    players = world.players
    players["cash"][who] += players["withdrawal_amount"][who]
    world.slice.emit(record, owners(players, who), world.tick(who), **_withdrawal(world, who), **reason)
    _forget_withdrawal(world, who)


def _forget_withdrawal(world: World, who: Ints) -> None:
    players = world.players
    players["withdrawal_id"][who] = none(len(who))
    players["withdrawal_due"][who] = NEVER


def _deposit(world: World, who: Ints) -> dict[str, Column]:
    return _payment(world, who, "deposit")


def _withdrawal(world: World, who: Ints) -> dict[str, Column]:
    return _payment(world, who, "withdrawal")


def _payment(world: World, who: Ints, kind: str) -> dict[str, Column]:
    players = world.players
    method = players[f"{kind}_method"][who].astype(np.int64)
    names = [
        f"{METHOD_NAMES[code]}-{(key >> 20) + code:011x}"
        for code, key in zip(method.tolist(), players["key"][who].tolist(), strict=True)
    ]
    return {
        "payment_id": players[f"{kind}_id"][who],
        "amount": players[f"{kind}_amount"][who],
        "method": Words(method, METHOD_NAMES),
        "provider": Words(method, PROVIDER_NAMES),
        "instrument_id": np.array(names, object),
    }
