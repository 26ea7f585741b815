"""What has to be true when the dust has settled."""

import os
import subprocess
import sys

from backoffice.simulator.events.envelope import Event
from tests.faults import oracle, positions
from tests.spine import Spine


def nothing_lost_or_doubled(spine: Spine, sent: list[Event], *, reconcile: bool = False) -> None:
    """The tables are what was sent, every message is accounted for once, and our own audit says so too."""
    oracle.check(sent, spine.rows)
    positions.check(spine)
    if reconcile:
        reconciled(spine)


def reconciled(spine: Spine) -> None:
    command = [sys.executable, "manage.py", "reconcile"]
    done = subprocess.run(command, env=os.environ | spine.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
