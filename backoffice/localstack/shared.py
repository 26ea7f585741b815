"""The folder in which Pitboss' processes share their metrics: in memory where there is some, and not on the data disk.

Its files are mapped, and the disk of the servers may be full.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import StackError
from .layout import Layout
from .memory import in_memory

# What the processes of one machine need at most.
ROOM = 8 << 20


@contextmanager
def metrics_folder(layout: Layout) -> Iterator[Path]:
    """Made empty, for what the processes of the last run counted would count again; gone when the block ends.

    Raises:
        StackError: it can be made nowhere.
    """
    beside = layout.run / "metrics"
    shutil.rmtree(beside, ignore_errors=True)
    with in_memory(layout, "metrics", ROOM) as folder:
        if folder:
            yield folder
            return
        try:
            beside.mkdir()
        except OSError as error:
            raise StackError(
                f"{beside} cannot be made ({error.strerror}); give its disk room, or yourself the right."
            ) from error
        yield beside
        shutil.rmtree(beside, ignore_errors=True)
