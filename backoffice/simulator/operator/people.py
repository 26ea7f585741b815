"""The players: one row each of everything the engine remembers of them, and how they are made.

What a player is like follows from the seed and the player's number alone. Sums are minor units of the player's
currency, times microseconds since 1970; ``NEVER`` stands where nothing is due.
"""

from functools import cache

import numpy as np

from backoffice.simulator.brands import BRAND_WEIGHTS, BRANDS, CHANNELS, COUNTRIES, METHODS, NETWORKS
from backoffice.simulator.durations import DAY
from backoffice.simulator.operator import rates
from backoffice.simulator.operator.arrays import ID, Array, Flags, Floats, Ids, Ints, Keys, Rows, shares
from backoffice.simulator.operator.chance import Chance
from backoffice.simulator.operator.columns import Words
from backoffice.simulator.operator.identifiers import ids
from backoffice.simulator.operator.slices import Owners

NEVER = 2**62
# States of an account, of the check of an identity, and of a bonus.
ACTIVE, CLOSED = 0, 1
PENDING, VERIFIED = 0, 1
NO_BONUS, MATCH, SPINS, FREE_BET = 0, 1, 2, 3

PLAYER = np.dtype(
    [
        # Who it is.
        ("key", "u8"), ("id", ID), ("brand", "i1"), ("country", "i1"), ("channel", "i1"), ("unit", "f8"),
        ("device", "u8"), ("ip", "i4"), ("registered_at", "i8"), ("group", "i1"),
        # Habits.
        ("visits", "f8"), ("shift", "f8"), ("lapses_at", "i8"), ("taste", "i1"), ("casino_stake", "f8"),
        ("bet_stake", "f8"), ("deposit", "f8"), ("tempo", "f8"), ("harmed_at", "i8"), ("methods", "i1", (3,)),
        # Where the account stands.
        ("status", "i1"), ("verification", "i1"), ("verified_at", "i8"), ("excluded_until", "i8"),
        ("exclusion", ID), ("excluded_at", "i8"), ("exclusion_kind", "i1"),
        ("limit", ID), ("limit_amount", "i8"), ("deposited_today", "i8"), ("deposited_on", "i8"),
        ("deposited", "i8"), ("document", ID), ("document_due", "i8"),
        # Money, and payments under way.
        ("cash", "i8"), ("deposit_id", ID), ("deposit_amount", "i8"), ("deposit_due", "i8"), ("deposit_method", "i1"),
        ("withdrawal_id", ID), ("withdrawal_amount", "i8"), ("withdrawal_due", "i8"), ("withdrawal_method", "i1"),
        # The one bonus in force.
        ("bonus", ID), ("bonus_kind", "i1"), ("bonus_cash", "i8"), ("to_wager", "i8"), ("spins", "i4"),
        ("bonus_expires", "i8"), ("bonus_bets", "i4"), ("welcomed", "?"),
        # The visit that is going on, and the run of rounds in it.
        ("online", "?"), ("clock", "i8"), ("session", ID), ("leaves_at", "i8"),
        ("game", "i1"), ("stake", "i8"), ("left", "i4"), ("open_bets", "i4"),
    ]
)  # fmt: skip

COUNTRY_NAMES = tuple(COUNTRIES)
BRAND_NAMES = tuple(brand.name for brand in BRANDS)
JURISDICTIONS = tuple(brand.jurisdiction for brand in BRANDS)
CURRENCIES = tuple(country.currency for country in COUNTRIES.values())
METHOD_NAMES = tuple(method for method, _ in METHODS)
PROVIDER_NAMES = tuple(provider for _, provider in METHODS)
_BRANDS = shares(BRAND_WEIGHTS)
_CHANNELS = shares((44, 26, 28, 2))
_METHODS = shares((38, 22, 18, 16, 6))
_TASTES = shares([share for share, _ in rates.TASTES])
# Members of a household share a device; so do those who are up to something.
_SHARED_DEVICES = 0.03


def made(chance: Chance, numbers: Ints, at: Ints, group: int = 0) -> Rows:
    """Players of these numbers, registered at these moments; ``group`` tells planted ones from those who came."""
    rows = np.zeros(len(numbers), PLAYER)
    key = rows["key"] = chance.keys(f"player of group {group}", numbers)
    at = np.asarray(at, np.int64)
    zero = np.zeros(len(numbers), np.int64)
    rows["id"] = ids(chance, "player", key, at)
    rows["brand"] = chance.pick("brand", key, zero, _BRANDS)
    rows["country"] = _countries(chance, key, rows["brand"])
    rows["channel"] = chance.pick("channel", key, zero, _CHANNELS)
    rows["unit"] = _units()[rows["country"]]
    rows["device"] = chance.bits("device", _households(chance, key), zero) >> np.uint64(24)
    rows["ip"] = chance.uniform("ip", key, zero) * len(NETWORKS) * 254
    rows["registered_at"] = rows["clock"] = at
    rows["group"] = group
    for number in range(3):
        rows["methods"][:, number] = chance.pick(f"method {number}", key, zero, _METHODS)
    for name in ("excluded_until", "deposit_due", "withdrawal_due", "document_due", "verified_at", "bonus_expires"):
        rows[name] = NEVER
    rows["limit_amount"] = NEVER
    _give_habits(chance, rows, zero)
    return rows


def _give_habits(chance: Chance, rows: Rows, zero: Ints) -> None:
    key, at = rows["key"], rows["registered_at"]
    rows["visits"] = chance.lognormal("visits", key, zero, *rates.VISITS)
    rows["shift"] = chance.normal("shift", key, zero) * 2.0
    rows["lapses_at"] = at + chance.lognormal("lifetime", key, zero, *rates.LIFETIME_DAYS) * DAY
    rows["taste"] = chance.pick("taste", key, zero, _TASTES)
    rows["casino_stake"] = chance.lognormal("casino stake", key, zero, *rates.CASINO_STAKE[:2])
    rows["bet_stake"] = chance.lognormal("bet stake", key, zero, *rates.BET_STAKE[:2])
    rows["deposit"] = chance.lognormal("deposit", key, zero, *rates.DEPOSIT[:2])
    rows["tempo"] = np.exp(0.25 * chance.normal("tempo", key, zero))
    harmed = chance.uniform("harm", key, zero) < rates.HARMED
    rows["harmed_at"] = np.where(harmed, at + chance.uniform("onset of harm", key, zero) * 40 * DAY, NEVER)


def owners(players: Rows, who: Ints) -> Owners:
    """Whom events of these players are about."""
    country = players["country"][who].astype(np.int64)
    brand = players["brand"][who].astype(np.int64)
    return Owners(
        players["id"][who],
        players["key"][who],
        Words(brand, BRAND_NAMES),
        Words(brand, JURISDICTIONS),
        Words(country, CURRENCIES),
    )


def access(players: Rows, who: Ints) -> dict[str, Words | Array]:
    """From where and with what these players come, as the session events tell it."""
    return {
        "channel": Words(players["channel"][who].astype(np.int64), CHANNELS),
        "country": Words(players["country"][who].astype(np.int64), COUNTRY_NAMES),
        "device_id": device_names(players["device"][who]),
        "ip": Words(players["ip"][who].astype(np.int64), addresses()),
    }


def device_names(devices: Keys) -> Array:
    return np.array([f"device-{device:010x}" for device in devices.tolist()], object)


@cache
def addresses() -> tuple[str, ...]:
    """Addresses out of networks that are set aside for documentation."""
    return tuple(f"{network}.{host}" for network in NETWORKS for host in range(1, 255))


def harm(players: Rows, who: Ints, at: Ints) -> Floats:
    """By how much harm multiplies what these players do: 1 before its onset."""
    days = np.maximum(at - players["harmed_at"][who], 0) / DAY
    return np.asarray(np.minimum(np.exp(days * rates.HARM_GROWTH), rates.HARM_MOST))


def is_harmed(players: Rows, who: Ints, at: Ints) -> Flags:
    return np.asarray(players["harmed_at"][who] <= at)


def bonus_money(players: Rows, who: Ints) -> Ints:
    """Bonus money that can be staked beside cash; a free bet's is staked as a whole."""
    return np.where(players["bonus_kind"][who] == FREE_BET, 0, players["bonus_cash"][who])


def none(rows: int) -> Ids:
    """No ids."""
    return np.zeros(rows, ID)


def _countries(chance: Chance, key: Keys, brand: Array) -> Ints:
    counts = np.array([len(each.countries) for each in BRANDS])
    table = np.zeros((len(BRANDS), counts.max()), np.int64)
    for number, each in enumerate(BRANDS):
        table[number, : len(each.countries)] = [COUNTRY_NAMES.index(name) for name in each.countries]
    drawn = chance.uniform("country", key, np.zeros(len(key), np.int64)) * counts[brand]
    return np.asarray(table[brand, drawn.astype(np.int64)])


def _households(chance: Chance, key: Keys) -> Keys:
    """The key that a player's device follows from: the player's own, or that of a household."""
    zero = np.zeros(len(key), np.int64)
    shared = chance.uniform("household", key, zero) < _SHARED_DEVICES
    return np.where(shared, chance.bits("household", key, zero) % np.uint64(1_000), key)


@cache
def _units() -> Floats:
    return np.array([rates.UNITS[currency] for currency in CURRENCIES])
