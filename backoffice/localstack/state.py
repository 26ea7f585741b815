"""`status` and `reset`: what runs here, and how to be rid of all of it."""

import json
import shutil
from pathlib import Path

from . import apps, lock, memory
from .children import Children
from .errors import StackError
from .layout import Layout
from .run import table
from .stack import sweep


def status(data: Path) -> int:
    """Print what runs in this data folder; 0 if something does, 1 if nothing."""
    layout = Layout(data.absolute())
    if not lock.is_held(layout.run / "lock"):
        print("Pitboss does not run here; start it with `make run`.")
        return 1
    print(f"Pitboss runs here: {lock.holder(layout.run / 'lock')}")
    addresses = _addresses(layout)
    servers, own = Children(layout.servers), Children(layout.apps)
    ours = dict.fromkeys(name.removesuffix(".keeper") for name in (*servers.names(), *own.names()))
    rows = {}
    for name in addresses | ours:
        pid = servers.pid(name) or own.pid(name)
        state = (
            f"pid {pid}" if pid else "starting" if name in ours or name in apps.NAMES else "given by the environment"
        )
        rows[name] = f"{addresses.get(name, ''):<21}  {state}"
    print(table(rows))
    return 0


def reset(data: Path) -> int:
    """Empty the data folder.

    Raises:
        StackError: something runs in it, or a file of it is somebody else's.
    """
    data = data.absolute()
    if not data.is_dir():
        return 0
    folders = [data, *(path.parent.parent for path in data.glob("*/run/lock"))]
    for folder in folders:
        if lock.is_held(folder / "run" / "lock"):
            raise StackError(
                f"Pitboss runs here: {lock.holder(folder / 'run' / 'lock')}. Stop it first, with Ctrl-C there."
            )
    for folder in folders:
        sweep(Layout(folder))
        memory.forget(Layout(folder))
    for entry in data.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    return 0


def _addresses(layout: Layout) -> dict[str, str]:
    try:
        content: dict[str, str] = json.loads((layout.run / "addresses.json").read_text())
    except (OSError, ValueError):
        return {}
    return content
