"""Players come and go."""

from datetime import date, timedelta

from backoffice.kernel.clock import at_microseconds
from backoffice.simulator.accounts import Account, Instrument
from backoffice.simulator.acts.bonuses import expire
from backoffice.simulator.acts.payments import move_out, start_deposit
from backoffice.simulator.acts.protection import emit_verification
from backoffice.simulator.brands import (
    AFFILIATES,
    BRAND_WEIGHTS,
    BRANDS,
    CHANNELS,
    COUNTRIES,
    FIRST_NAMES,
    LAST_NAMES,
    MAIL_DOMAINS,
    METHODS,
    NETWORKS,
    STREETS,
)
from backoffice.simulator.events import players
from backoffice.simulator.world import World

# Above this multiple of the wanted number of players, as many leave as come; nobody comes above the second.
COMFORTABLE = 1.25
FULL = 2
_TRIES = 5
_AGES = range(18, 80)


def register(world: World) -> None:
    if len(world.accounts) >= FULL * world.players:
        return
    account = _new_account(world)
    world.accounts.add(account)
    _emit_registration(world, account)
    world.emit(
        players.player_status_changed(
            world.head_of(account), player_id=account.id, status="active", reason="account opened", actor="system"
        )
    )
    emit_verification(world, account, "electronic")
    if world.chance(0.5):
        account.verification = "verified"
        emit_verification(world, account, "electronic")
    if world.chance(0.8):
        start_deposit(world, account)


def close_account(world: World) -> None:
    """A player leaves: what is left is paid out, and then the account is forgotten."""
    if len(world.accounts) < world.players or (len(world.accounts) < COMFORTABLE * world.players and world.chance(0.7)):
        return
    account = _closable(world)
    if account is None:
        return
    if account.bonus is not None:
        expire(world, account, account.bonus, "account closed")
    if account.cash:
        move_out(world, account)
    world.emit(
        players.player_status_changed(
            world.head_of(account),
            player_id=account.id,
            status="closed",
            previous_status=account.status,
            reason="player request",
            actor="player",
        )
    )
    account.status = "closed"
    for pool in (world.accounts, world.excluded, world.restricted):
        pool.discard(account)


def _closable(world: World) -> Account | None:
    """An account in which nothing is under way; rather one of an excluded player, so that these do not pile up."""
    for _ in range(_TRIES):
        account = (world.chance(0.5) and world.excluded.draw(world.rng)) or world.accounts.draw(world.rng)
        if account and account.status != "suspended" and account.is_idle():
            return account
    return None


def _new_account(world: World) -> Account:
    rng = world.rng
    brand = rng.choices(BRANDS, BRAND_WEIGHTS)[0]
    country = rng.choice(brand.countries)
    methods = rng.sample(METHODS, rng.choice((1, 1, 2, 3)))
    return Account(
        id=world.new_id(),
        brand=brand.name,
        jurisdiction=brand.jurisdiction,
        country=country,
        currency=COUNTRIES[country].currency,
        channel=rng.choice(CHANNELS),
        devices=tuple(f"device-{rng.getrandbits(40):010x}" for _ in range(rng.choice((1, 1, 2)))),
        address=f"{rng.choice(NETWORKS)}.{rng.randrange(1, 255)}",
        instruments=tuple(Instrument(f"{method}-{rng.getrandbits(40):010x}", method, name) for method, name in methods),
    )


def _emit_registration(world: World, account: Account) -> None:
    rng, country = world.rng, COUNTRIES[account.country]
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    born = _birth_date(world)
    band = born.year - born.year % 5
    world.emit(
        players.player_registered(
            world.head_of(account),
            player_id=account.id,
            country=account.country,
            currency=account.currency,
            birth_year_band=f"{band}-{band + 4}",
            channel=account.channel,
            language=country.language,
            affiliate=rng.choice(AFFILIATES) if world.chance(0.3) else None,
            marketing_consent=world.chance(0.6),
            email=f"player.{rng.getrandbits(40):010x}@{rng.choice(MAIL_DOMAINS)}",
            phone=f"{country.dialling_code}555{rng.randrange(10**6):06d}",
            first_name=first,
            last_name=last,
            birth_date=born,
            street=f"{rng.randrange(1, 200)} {rng.choice(STREETS)}",
            city=rng.choice(country.cities),
            postcode=f"{rng.randrange(10_000, 100_000)}",
        )
    )


def _birth_date(world: World) -> date:
    """Of age, by a leap day's margin."""
    age = world.rng.choice(_AGES)
    return at_microseconds(world.now).date() - timedelta(days=age * 366 + world.rng.randrange(366))
