"""Questions of which each is put once at a time, however many ask, and waited for no longer than a limit.

Whoever watches the platform asks again and again and goes away when there is no answer. With a thread and a connection
for each who asked, they would pile up behind whatever hangs, until Postgres takes nobody any more.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Any, Generic, TypeVar

from django.conf import settings

Answer = TypeVar("Answer")
# By name, those that are answered; each may have failed.
Heard = dict[str, Future[Any]]


class Question(Generic[Answer]):
    """Answered in a thread of its own; all who ask until there is an answer get the same one."""

    def __init__(self, name: str, ask: Callable[[], Answer]) -> None:
        self._name = name
        self._ask = ask
        self._lock = threading.Lock()
        self._answer: Future[Answer] | None = None

    def put(self) -> Future[Answer]:
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer = Future()
                # Nobody who stops waiting can take it from the others.
                self._answer.set_running_or_notify_cancel()
                threading.Thread(target=self._find, args=(self._answer,), name=f"ask-{self._name}", daemon=True).start()
            return self._answer

    def _find(self, answer: Future[Answer]) -> None:
        try:
            found = self._ask()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the answer raises it
            answer.set_exception(error)
        else:
            answer.set_result(found)


def limit() -> float:
    """For how many seconds whoever asks is let wait."""
    return float(settings.HEALTH["answer"])


def late() -> str:
    return f"does not answer within {limit():g} s"


async def heard(questions: Mapping[str, Question[Any]]) -> Heard:
    """The answers that come in time; no thread waits for them."""
    put = {name: question.put() for name, question in questions.items()}
    waiting = [asyncio.wrap_future(answer) for answer in put.values()]
    done, late_ones = await asyncio.wait(waiting, timeout=limit())
    for each in late_ones:
        each.cancel()
    for each in done:
        # Looked at, or asyncio would say that nobody did.
        each.exception()
    return _answered(put)


def heard_here(questions: Mapping[str, Question[Any]]) -> Heard:
    """The same for a command, whose thread has nothing else to do."""
    put = {name: question.put() for name, question in questions.items()}
    wait(put.values(), timeout=limit())
    return _answered(put)


def _answered(put: Heard) -> Heard:
    return {name: answer for name, answer in put.items() if answer.done()}
