"""A question that may never be answered: put in a thread of its own, once at a time however many ask."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from .errors import Retryable

Answer = TypeVar("Answer")


class Unasked(Retryable):
    """This process gets no thread to ask in; the next who asks tries again."""


class Question(Generic[Answer]):
    """All who ask until there is an answer get the same one."""

    def __init__(self, name: str, ask: Callable[[], Answer]) -> None:
        self._name = name
        self._ask = ask
        self._lock = threading.Lock()
        self._answer: Future[Answer] | None = None

    def put(self) -> Future[Answer]:
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer = self._begin()
            return self._answer

    def finish(self, seconds: float) -> None:
        """Wait for an answer that is still to come; for so long at the most."""
        with self._lock:
            left = [] if self._answer is None else [self._answer]
        wait(left, timeout=seconds)

    def _begin(self) -> Future[Answer]:
        answer: Future[Answer] = Future()
        # Nobody who stops waiting can take it from the others.
        answer.set_running_or_notify_cancel()
        try:
            threading.Thread(target=self._find, args=(answer,), name=f"ask-{self._name}", daemon=True).start()
        except RuntimeError as error:
            # Answered at once, or all who ask from now on would wait for a thread that never was.
            answer.set_exception(Unasked(f"not asked: {error}"))
        return answer

    def _find(self, answer: Future[Answer]) -> None:
        try:
            found = self._ask()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the answer raises it
            answer.set_exception(error)
        else:
            answer.set_result(found)
