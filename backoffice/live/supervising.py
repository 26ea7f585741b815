"""Tasks that must not end: whatever ends one, it is said, and the task begins anew."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from . import telemetry
from .conditions import Conditions

log = logging.getLogger(__name__)

BACK_OFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)

Well = Callable[[], None]


async def supervised(part: str, act: Callable[[Well], Awaitable[None]], conditions: Conditions) -> None:
    """Run ``act`` again and again until this is cancelled, with pauses that grow until it calls what it is given.

    A failure is noted under ``part`` until then. When it returns, that is none: what it needs is away, and told of.
    """
    failures = 0

    def well() -> None:
        nonlocal failures
        failures = 0
        conditions.clear(part)

    while True:
        try:
            await act(well)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:
            # A cancellation that nobody asked for is a fault like any other; so is a panic of a library in Rust.
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            telemetry.TASK_FAILURES.labels(part.partition(":")[0]).inc()
            if conditions.note(part, "failed", in_words(error)):
                log.exception("%s failed; it begins anew, as often as it takes", part)
        longest = BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)]
        failures += 1
        await asyncio.sleep(random.uniform(longest / 2, longest))


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def in_words(error: BaseException) -> str:
    """What happened, in a line."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
