"""The housekeeping of the windows, by the clock; it can be run at any time and as often as one likes."""

import logging

from backoffice.streams.clocks import PostgresClock
from backoffice.streams.jobs import clocked

from . import rollup

log = logging.getLogger(__name__)


@clocked("metrics.roll_windows")
def roll_windows() -> None:
    """Minutes that are long past become hours and days."""
    before = rollup.border(PostgresClock().now())
    gone, smaller = rollup.roll(before), rollup.give_back(before)
    log.info("rolled up %s rows before %s; smaller are %s", gone, before.date(), ", ".join(smaller) or "none")
