"""The worker's pool: a thread for each task, and none of them is waited for for ever.

Celery's own pool of threads has as many as it was given. Tasks that hang take all of them, no time limit ends a thread,
and neither the worker nor Python ends before they do.
"""

import logging
import threading
import time
from functools import partial
from typing import Any

from celery.concurrency.base import BasePool, apply_target
from kombu.asynchronous import get_event_loop

log = logging.getLogger(__name__)

# What a worker that is told to end gives its tasks; what they have not committed by then is undone, and sent again to
# another worker.
GRACE_SECONDS = 2.0
# When a task is begun anew that got no thread. Until then it is not acknowledged: if the worker ends, another has it.
AGAIN_SECONDS = 1.0


class TaskPool(BasePool):
    """Begins each task at once, however many others hang. Jobs limit themselves: each runs once at a time."""

    body_can_be_buffer = True
    signal_safe = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._running: set[threading.Thread] = set()

    def on_apply(self, *call: Any, **options: Any) -> None:
        """``call`` is what is called, with its arguments; of the options Celery's callbacks count."""
        told = {name: options.get(name) for name in ("callback", "accept_callback")}

        def run() -> None:
            try:
                apply_target(*call, **told)
            finally:
                self._running.discard(thread)

        thread = threading.Thread(target=run, name=f"task-{call[1][0]}", daemon=True)
        self._running.add(thread)
        try:
            thread.start()
        except RuntimeError as error:
            self._running.discard(thread)
            if (hub := get_event_loop()) is None:
                raise
            # Raised, it would end the worker, and its streams with it.
            log.error("%s is not begun: %s; it is tried again in %g s", call[1][0], error, AGAIN_SECONDS)
            hub.call_later(AGAIN_SECONDS, partial(self.on_apply, *call, **options))

    def on_stop(self) -> None:
        until = time.monotonic() + GRACE_SECONDS
        for thread in list(self._running):
            thread.join(max(0.0, until - time.monotonic()))
        if left := sorted(thread.name for thread in list(self._running)):
            log.warning("not waited for any longer; what they have not committed is undone: %s", ", ".join(left))

    on_terminate = on_stop
