"""Beat's schedule, which believes no run that is still to come, and forgets none that the broker did not take."""

import logging
from datetime import UTC, datetime
from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry
from celery.utils.time import maybe_make_aware

from backoffice.standstill import Standstill

log = logging.getLogger(__name__)

# Nothing is known of when a job was last sent; each can be done at any time and as often as one likes.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Scheduler(PersistentScheduler):
    """Keeps in a file when each job was last sent, by the clock of this machine.

    Where that clock was ahead and is set right, those moments lie in the future, and Celery would send nothing until
    then, also after a restart. They are dropped, and the jobs are due at once.

    What the broker does not take, as it is away or refuses, stays due. Celery would have it wait for its next time, a
    day or so, and end where the connection is refused.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._standstill = Standstill("jobs are not sent and stay due")

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self._drop_what_is_to_come()

    def tick(self, *args: Any, **options: Any) -> float:
        if self._drop_what_is_to_come():
            # Made anew with this tick: its times are of the clock of before, too.
            self._heap = None
        due = dict(self.schedule)
        try:
            seconds: float = super().tick(*args, **options)
        except Exception as error:  # noqa: BLE001 - whatever it is, beat goes on
            self.schedule.update(due)
            self._heap = None
            return self._standstill.met(error)
        return seconds

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Raises what Celery would log and forget."""
        log.info("sends %s (%s)", entry.name, entry.task)
        self.apply_async(entry, producer=producer, advance=False)
        if self._standstill.over():
            log.info("jobs are sent again")

    def _drop_what_is_to_come(self) -> bool:
        now = self.app.now()
        wrong = [one for one in self.schedule.values() if one.last_run_at and maybe_make_aware(one.last_run_at) > now]
        for entry in wrong:
            entry.last_run_at = _NEVER
        if wrong:
            log.warning(
                "the clock was set back; what was sent at a time that is still to come is sent now: %s",
                ", ".join(sorted(str(entry.name) for entry in wrong)),
            )
        return bool(wrong)
