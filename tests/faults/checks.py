"""What has to be true when the dust has settled."""

from io import StringIO

from django.core.management import call_command

from backoffice.simulator.events.envelope import Event
from tests.faults import oracle, positions
from tests.spine import Spine


def nothing_lost_or_doubled(spine: Spine, sent: list[Event]) -> None:
    """The tables are what was sent, every message is accounted for once, and our own audit says so too."""
    oracle.check(sent, spine.rows)
    positions.check(spine)
    reconciled()


def reconciled() -> None:
    """Django's default connection leads to the database of the spine."""
    told = StringIO()
    try:
        call_command("reconcile", full=True, stdout=told)
    except SystemExit as ended:
        raise AssertionError(f"reconcile: exit {ended.code}: {told.getvalue()[:2_000]}") from ended
