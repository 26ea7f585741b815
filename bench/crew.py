"""Processes that get ready, wait for the word, and say when they are done: one line each way."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

READY, GO, DONE = "ready", "go", "done"


class Crew:
    """``count`` processes of one module; each gets its number and how many there are as its last two arguments."""

    def __init__(self, module: str, count: int, arguments: Sequence[str], environ: dict[str, str]) -> None:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", module, *arguments, str(number), str(count)],
                env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for number in range(count)
        ]  # fmt: skip

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def wait_for(self, word: str) -> None:
        for process in self._processes:
            line = (process.stdout or sys.stdin).readline().strip()
            if line != word:
                raise RuntimeError(f"A process of the benchmark said {line!r} instead of {word!r}.")

    def timed(self, words: Sequence[object] = (), first: Callable[[], None] = lambda: None) -> float:
        """Seconds from the word (to each its own, or the same to all) to the last one's being done.

        ``first`` is done after the word and is part of the time.
        """
        began = time.monotonic()
        for process, word in zip(self._processes, words or [GO] * len(self._processes), strict=True):
            if process.stdin is not None:
                print(word, file=process.stdin, flush=True)
        first()
        self.wait_for(DONE)
        return time.monotonic() - began

    def end(self) -> None:
        """Their input ends, and so do they."""
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            if process.poll() is None:
                process.kill()
                process.wait()


@contextmanager
def crew(module: str, count: int, arguments: Sequence[str], environ: dict[str, str]) -> Iterator[Crew]:
    """The processes, ready."""
    processes = Crew(module, count, arguments, environ)
    try:
        processes.wait_for(READY)
        yield processes
    finally:
        processes.end()


def say(word: str) -> None:
    print(word, flush=True)
