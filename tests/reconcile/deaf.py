"""Work for a process beside another one, which does not end by itself."""

import os
import signal
import threading
from functools import partial
from pathlib import Path

from backoffice.reconcile.runs.beside import beside


def wait_deaf(there: Path) -> None:
    """Write our number, and do nothing that a signal could end but SIGKILL."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    number = there.with_suffix(".new")
    number.write_text(str(os.getpid()))
    number.rename(there)
    threading.Event().wait()


def first(there: Path) -> None:
    """The process that begins it, and waits for it."""
    with beside(partial(wait_deaf, there)) as result:
        result()
