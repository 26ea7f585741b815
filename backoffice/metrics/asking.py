"""Many questions at once, of which none is waited for for longer than a limit.

Whoever watches the platform asks again and again and goes away when there is no answer. With a thread and a connection
for each who asked, they would pile up behind whatever hangs, until Postgres takes nobody any more.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future, wait
from typing import Any

from django.conf import settings

from backoffice.kernel.asking import Question

# By name, those that are answered; each may have failed.
Heard = dict[str, Future[Any]]


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
