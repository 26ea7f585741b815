"""A run over everything: from the first offset, with books of its own, in steps that each have a snapshot of their own.

When all that is stored is read, the tables are walked through once; each stretch in a step that has read what came
meanwhile, so that sums and states are compared exactly although the tables move on. What is done stays done: a run that
was broken off is gone on with.
"""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction

from backoffice.kernel.clock import Clock
from backoffice.streams.clocks import furthest

from ..books import OF_EVERYTHING
from ..differences import NOT_CHECKED, Difference
from ..findings import Findings
from ..kinds import Kind
from ..known import known_gaps
from ..messages.log import Log
from ..models import Run
from ..positions import positions
from .circle import of_rows
from .plan import Plan
from .running import Running, Say
from .transactions import Pulse
from .walks import Walker, go_once


def in_full(clock: Clock, step: int, *, anew: bool, say: Say) -> Run:
    run = _begun(clock, anew=anew, say=say)
    with Log(settings.KAFKA, settings.KAFKA_TOPIC_PREFIX, Pulse()) as log:
        running = Running(log, clock, run, OF_EVERYTHING, say=say)
        running.restore(_found_before(run), run.checked)
        progress = _Progress(log, say, sum(run.checked.values()))
        _read(running, Plan(step), progress)
        _walk(running, step, clock, progress)
        running.end()
    return _finished(run, clock)


def _found_before(run: Run) -> Findings:
    """By the part of the run that was broken off; what could not be read then is looked at once more."""
    found = Findings()
    listed, named = ([Difference.from_json(told) for told in kept] for kept in (run.differences, run.named))
    counts = {Kind.of_json(told): int(told["found"]) for told in run.counts if told["check"] != NOT_CHECKED}
    found.restore(listed, [told for told in named if told.check != NOT_CHECKED], counts)
    return found


def _begun(clock: Clock, *, anew: bool, say: Say) -> Run:
    """The run that was broken off, or a new one with empty books.

    What was met since a run began cannot be told where it says that it began at a time that is still to come.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        broken_off = Run.objects.filter(full=True, finished_at=None)
        run = None if anew else broken_off.filter(started_at__lte=furthest(clock.now())).order_by("-started_at").first()
        if run is not None:
            of = f"the run of {run.started_at:%Y-%m-%d %H:%M:%S} UTC, which was broken off"
            if run.is_counted:
                say(f"Goes on with {of}.")
                return run
            say(f"Begins anew: an older edition began {of}, and did not keep how much it had found of what.")
        broken_off.delete()
        OF_EVERYTHING.empty(cursor)
        return Run.objects.create(
            started_at=clock.now(), full=True, is_clean=True, checked={}, total=0, differences=[], named=[]
        )


def _finished(run: Run, clock: Clock) -> Run:
    with transaction.atomic(), connection.cursor() as cursor:
        run.finished_at = clock.now()
        run.save()
        OF_EVERYTHING.empty(cursor)
    return run


def _read(running: Running, plan: Plan, progress: "_Progress") -> None:
    while not plan.is_done:
        running.read_new(plan, _nothing_else)
        progress.of_reading(sum(running.checked.values()))


def _nothing_else(_walker: Walker) -> None:
    """As long as all is read for the first time, no table is walked through."""


def _walk(running: Running, step: int, clock: Clock, progress: "_Progress") -> None:
    """Stretch by stretch; where the streams store more than a step can take, it is only read until that is over."""
    done, of = 0, 1

    def stretch(walker: Walker) -> None:
        nonlocal done, of
        done, of = go_once(walker, OF_EVERYTHING, clock.now(), of_rows().at_most)

    while done < of:
        running.read_new(Plan(step), stretch)
        progress.of_walking(done, of)


@dataclass
class _Progress:
    """Says how far the run is and, from its pace so far, how long the rest will take."""

    log: Log
    say: Say
    before: int

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        with connection.cursor() as cursor:
            read = positions(cursor, self.log, OF_EVERYTHING, known_gaps(cursor))
        self._left = sum(position.end - position.start for position in read)

    def of_reading(self, read: int) -> None:
        done, seconds = read - self.before, time.monotonic() - self._began
        left = max(0, self._left - done)
        if done and left:
            rest = timedelta(seconds=round(left * seconds / done))
            self.say(f"{done:,} messages read, {left:,} to go; {done / seconds:,.0f} a second, {rest} left.")

    def of_walking(self, done: int, of: int) -> None:
        self.say(f"All is read; {done} of {of} tables were walked through.")
