"""The folder in which processes of one machine share their metrics (PROMETHEUS_MULTIPROC_DIR)."""

from contextlib import suppress
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def forget_ended(folder: Path) -> None:
    """Of processes that live no more, what they said of themselves; what they counted stays, or sums would go back."""
    told = {path.stem.rpartition("_")[2] for path in folder.glob("gauge_live*.db")}
    for pid in told:
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            # Whoever else removes it at the same time is welcome.
            with suppress(FileNotFoundError):
                mark_process_dead(int(pid), str(folder))  # type: ignore[no-untyped-call]
