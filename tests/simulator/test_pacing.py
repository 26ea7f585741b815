"""The pace of sending, by a clock that moves only when somebody waits or works."""

from threading import Event as Signal

import pytest

from backoffice.simulator.pacing import CATCHING_UP, AsFastAsPossible, AtRate


class Clockwork:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def wait(self, _stop: Signal, seconds: float) -> None:
        assert seconds > 0
        self.seconds += seconds


def sent_by(rate: float, until: float, stall: tuple[float, float] | None = None) -> list[tuple[float, int]]:
    """(time, messages) of all grants; at the first time of ``stall`` sending takes as long as its second."""
    clock, sent = Clockwork(), []
    for count in AtRate(rate, now=clock.now, wait=clock.wait).grants(Signal()):
        sent.append((clock.seconds, count))
        if stall and clock.seconds >= stall[0]:
            clock.seconds += stall[1]
            stall = None
        if clock.seconds >= until:
            return sent
    raise AssertionError("ended by itself")


@pytest.mark.parametrize("rate", [0.5, 3, 200, 20_000])
def test_messages_go_out_at_the_rate(rate: float) -> None:
    sent = sent_by(rate, 60)

    assert sum(count for _, count in sent) == pytest.approx(60 * rate, abs=max(1, 0.02 * rate))
    # At no time are more out than are due.
    total = 0
    for at, count in sent:
        total += count
        assert total <= at * rate + 1


@pytest.mark.parametrize("rate", [3, 200, 20_000])
def test_a_stall_is_caught_up_without_a_burst(rate: float) -> None:
    sent = sent_by(rate, 100, stall=(20, 40))
    after = [(at, count) for at, count in sent if at > 60]

    assert sum(count for _, count in sent) == pytest.approx(100 * rate, rel=0.02)
    for second in range(60, 100):
        within = sum(count for at, count in after if second <= at < second + 1)
        assert within <= rate * CATCHING_UP + max(1, 0.06 * rate)
    assert sum(count for at, count in after if at < 70) > 3 * 10 * rate


@pytest.mark.parametrize("pace", [AtRate(1_000), AsFastAsPossible()])
def test_a_pace_ends_when_stopped(pace: AtRate | AsFastAsPossible) -> None:
    stop = Signal()
    grants = pace.grants(stop)
    next(grants)
    stop.set()

    assert list(grants) == []


def test_a_rate_is_above_zero() -> None:
    with pytest.raises(ValueError, match="rate"):
        AtRate(0)
