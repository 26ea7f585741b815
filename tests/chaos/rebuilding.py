"""A table rebuilt under load, and once more at the same time, which has to be refused."""

from concurrent.futures import ThreadPoolExecutor
from io import StringIO

from django.core.management import call_command
from django.core.management.base import CommandError

from .scene import Scene

TABLES = (
    "wallet_balance", "wallet_transfer", "wallet_account", "wallet_payment", "trading_bet", "trading_leg",
    "players_player", "streams_event", "metrics_window", "metrics_activity",
)  # fmt: skip
_DONE, _REFUSED = "", "is being rebuilt by"
# A server may be just coming back from the fault before, or one be done before the other begins.
_TRIES = 5


def rebuild_beside_rebuild(scene: Scene) -> str:
    """
    Raises:
        RuntimeError: never was one of them done and the other one refused.
    """
    table = scene.rng.choice(TABLES)
    said: list[str] = []
    for _ in range(_TRIES):
        with ThreadPoolExecutor(2) as pool:
            said = list(pool.map(_rebuilt, [table, table]))
        if _DONE in said and any(_REFUSED in one for one in said):
            return "rebuild beside rebuild"
    raise RuntimeError(f"two rebuilds of {table} at once: {' / '.join(one or 'done' for one in said)}")


def _rebuilt(table: str) -> str:
    """What the command said where it failed."""
    try:
        call_command("rebuild", table, stdout=StringIO(), stderr=StringIO())
    except CommandError as refused:
        return str(refused)
    return _DONE
