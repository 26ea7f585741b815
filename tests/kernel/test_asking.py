"""One moment without threads costs one question, and none after it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backoffice.kernel.asking import Question, Unasked
from tests.spine import until


@contextmanager
def no_threads() -> Iterator[None]:
    """As where a machine has no more of them."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        yield


def test_all_who_ask_at_once_get_one_answer_and_who_asks_later_another() -> None:
    may_answer, asked = threading.Event(), []

    def ask() -> int:
        asked.append(1)
        assert may_answer.wait(30)
        return len(asked)

    question = Question("test", ask)
    first = [question.put() for _ in range(100)]
    may_answer.set()
    assert {answer.result(30) for answer in first} == {1}
    until(lambda: question.put().result(30) > 1, "it is asked anew")


def test_an_answer_that_failed_is_told_to_who_asked_and_asked_anew() -> None:
    outcomes = iter([ValueError("broken"), None])

    def ask() -> str:
        if error := next(outcomes):
            raise error
        return "well"

    question = Question("test", ask)
    with pytest.raises(ValueError, match="broken"):
        question.put().result(30)
    assert question.put().result(30) == "well"


def test_without_a_thread_this_question_fails_and_the_next_is_answered() -> None:
    question = Question("test", lambda: "well")

    with no_threads():
        unasked = [question.put(), question.put()]

    assert all(answer.done() for answer in unasked)
    for answer in unasked:
        with pytest.raises(Unasked, match="can't start new thread"):
            answer.result(0)
    assert question.put().result(30) == "well"


def test_the_answer_that_is_still_to_come_is_waited_for_and_no_other() -> None:
    may_answer = threading.Event()
    question = Question("test", lambda: may_answer.wait(30))
    question.finish(30)
    answer = question.put()
    question.finish(0.01)
    assert not answer.done()
    may_answer.set()
    question.finish(30)
    assert answer.done()
