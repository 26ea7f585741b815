"""Players log in, fail to, and log out."""

from backoffice.simulator.accounts import Account, Session, access_of
from backoffice.simulator.events import players
from backoffice.simulator.world import World

_MOST_ONLINE = 0.15
_FAILURES = ("wrong password", "wrong second factor", "unknown device", "locked")


def log_in(world: World) -> None:
    account = world.accounts.draw(world.rng)
    if account is None or account.session or not account.may_play:
        return
    if len(world.online) >= max(10, _MOST_ONLINE * world.players):
        log_out(world)
        return
    access = access_of(account, world.rng)
    session = account.session = Session(world.new_id(), world.now, access)
    world.online.add(account)
    world.emit(players.login_succeeded(world.head_of(account), session_id=session.id, **access))
    world.emit(players.session_started(world.head_of(account), session_id=session.id, **access))


def fail_login(world: World) -> None:
    account = world.accounts.draw(world.rng)
    if account is not None:
        world.emit(
            players.login_failed(
                world.head_of(account), reason=world.rng.choice(_FAILURES), **access_of(account, world.rng)
            )
        )


def log_out(world: World) -> None:
    account = world.online.draw(world.rng)
    if account is not None:
        end_session(world, account, world.rng.choice(("logout", "logout", "idle")))


def end_session(world: World, account: Account, reason: str) -> None:
    """End the player's session, where there is one."""
    session = account.session
    if session is None:
        return
    account.session = None
    world.online.discard(account)
    world.emit(players.session_ended(world.head_of(account), session_id=session.id, reason=reason, **session.access))
