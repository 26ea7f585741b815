"""For how long a topic has not been there: only what Kafka says counts, and only without a break."""

import pytest

from backoffice.streams.kafka import topicids
from backoffice.streams.kafka.topicids import Absence


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(topicids, "time", clock)
    return clock


def test_it_lasts_from_the_first_answer_on(clock: Clock) -> None:
    absence = Absence()
    assert absence.seconds == 0

    for clock.now in (100.0, 107.0, 120.0):
        absence.hear(None)

    assert absence.seconds == 20


def test_a_topic_that_is_there_ends_it(clock: Clock) -> None:
    absence = Absence()
    absence.hear(None)
    clock.now = 150.0
    absence.hear("an id")

    assert absence.seconds == 0
    absence.hear(None)
    clock.now = 151.0
    assert absence.seconds == 1


def test_while_nobody_answers_it_is_not_known_to_last(clock: Clock) -> None:
    absence = Absence()
    absence.hear(None)
    clock.now = 150.0
    absence.forget()
    clock.now = 200.0

    assert absence.seconds == 0
    absence.hear(None)
    assert absence.seconds == 0
