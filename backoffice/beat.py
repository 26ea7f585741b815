"""Beat's schedule, which believes no run that is still to come."""

import logging
from datetime import UTC, datetime
from typing import Any

from celery.beat import PersistentScheduler
from celery.utils.time import maybe_make_aware

log = logging.getLogger(__name__)

# Nothing is known of when a job was last sent; each can be done at any time and as often as one likes.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Scheduler(PersistentScheduler):
    """Keeps in a file when each job was last sent, by the clock of this machine.

    Where that clock was ahead and is set right, those moments lie in the future, and Celery would send nothing until
    then, also after a restart. They are dropped, and the jobs are due at once.
    """

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self._drop_what_is_to_come()

    def tick(self, *args: Any, **options: Any) -> float:
        if self._drop_what_is_to_come():
            # Made anew with this tick: its times are of the clock of before, too.
            self._heap = None
        seconds: float = super().tick(*args, **options)
        return seconds

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
