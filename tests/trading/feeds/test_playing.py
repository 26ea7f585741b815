"""A recording played by a clock that moves only when somebody waits: what is told, and when."""

import logging
import math
from collections.abc import Iterable, Iterator
from threading import Event as Signal

import pytest

from tests.trading.feeds.messages import PT, definition, image, mc, mcm, price, runner
from tests.trading.feeds.recordings import CRICKET, needed, stream
from tests.trading.feeds.test_pacing import Clockwork
from trading.feeds.adapter import Update
from trading.feeds.pacing import Pace
from trading.feeds.playing import MOST_COMPLAINTS, Play, Totals
from trading.feeds.providers.betfair.adapter import Betfair
from trading.feeds.recording import lines


class Listener:
    """Notes (seconds since the start, market, status) of each update."""

    def __init__(self, clock: Clockwork) -> None:
        self.clock = clock
        self.told: list[tuple[float, str, str]] = []
        self.updates: list[Update] = []
        self.started_at: list[int] = []

    def start(self, provider_time: int) -> None:
        self.started_at.append(provider_time - PT)

    def publish(self, updates: Iterable[Update]) -> None:
        for update in updates:
            market = update["market_id"].removeprefix("betfair:")
            self.told.append((round(self.clock.seconds - 100, 6), market, update["status"]))
            self.updates.append(update)

    def serve(self) -> None:
        pass


def played(
    messages: Iterable[bytes], *, speed: float = 1, from_in_play: bool = False, stop: Signal | None = None
) -> tuple[Listener, Totals]:
    clock, totals = Clockwork(), Totals()
    listener = Listener(clock)
    play = Play(Betfair(), listener, clock.pace(speed), totals, from_in_play=from_in_play)
    play.run(iter(messages), stop or Signal())
    return listener, totals


def told(messages: Iterable[bytes], *, speed: float = 1, from_in_play: bool = False) -> list[tuple[float, str, str]]:
    return played(messages, speed=speed, from_in_play=from_in_play)[0].told


OPENING = image(mc(market="1.1", d=definition()), mc(market="1.2", d=definition(status="SUSPENDED")))
CLOSING = mc(market="1.1", d=definition(runner(11, status="WINNER"), status="CLOSED", version=900))


def test_each_update_is_told_when_it_is_due() -> None:
    messages = [OPENING, mcm(mc(market="1.1", tv=5), at=1_000), mcm(CLOSING, at=3_500)]

    assert told(messages) == [(0, "1.1", "open"), (0, "1.2", "suspended"), (1, "1.1", "open"), (3.5, "1.1", "settled")]
    assert [at for at, *_ in told(messages, speed=2)] == [0, 0, 0.5, 1.75]
    assert {at for at, *_ in told(messages, speed=math.inf)} == {0}


def test_a_recording_that_ends_leaves_nothing_open() -> None:
    assert told([OPENING, mcm(mc(market="1.1", tv=5), at=1_000)])[-1] == (1, "1.1", "suspended")


def test_silence_suspends_after_two_heartbeats_of_the_recordings_clock() -> None:
    messages = [OPENING, mcm(ct="HEARTBEAT", at=5_000), mcm(mc(market="1.1", tv=5), at=40_000), mcm(CLOSING, at=41_000)]

    listener, totals = played(messages)

    assert listener.told[2:] == [
        (15, "1.1", "suspended"),
        (40, "1.1", "open"),
        (40, "1.2", "suspended"),
        (41, "1.1", "settled"),
    ]
    assert totals.silences == 1


def test_two_heartbeats_are_not_silence_yet() -> None:
    _, totals = played([OPENING, mcm(ct="HEARTBEAT", at=10_000), mcm(CLOSING, at=20_000)])

    assert totals.silences == 0


def test_where_no_heartbeat_was_agreed_silence_means_nothing() -> None:
    historic = mcm(mc(market="1.1", d=definition(), img=True))

    listener, totals = played([historic, mcm(mc(market="1.1", tv=5), at=3_600_000), mcm(CLOSING, at=3_600_500)])

    assert [status for *_, status in listener.told] == ["open", "open", "settled"]
    assert totals.silences == 0


def test_a_stale_provider_suspends_and_recovers() -> None:
    messages = [
        OPENING,
        mcm(ct="HEARTBEAT", status=503, at=1_000),
        mcm(mc(market="1.1", tv=5), at=2_000, status=503),
        mcm(mc(market="1.1", tv=6), at=3_000),
        mcm(CLOSING, at=4_000),
    ]

    assert [entry for entry in told(messages) if entry[1] == "1.1"] == [
        (0, "1.1", "open"),
        (1, "1.1", "suspended"),
        (2, "1.1", "suspended"),
        (3, "1.1", "open"),
        (4, "1.1", "settled"),
    ]


def test_from_in_play_on_the_whole_state_comes_first() -> None:
    messages = [
        OPENING,
        mcm(mc(market="1.2", rc=[price(11, 1.5)]), at=1_000),
        mcm(mc(market="1.1", d=definition(inPlay=True, version=101)), at=86_000_000),
        mcm(mc(market="1.1", tv=5), at=86_001_000),
        mcm(CLOSING, at=86_002_000),
    ]

    listener, _ = played(messages, from_in_play=True)

    assert listener.told == [
        (0, "1.1", "open"),
        (0, "1.2", "suspended"),
        (1, "1.1", "open"),
        (2, "1.1", "settled"),
    ]
    assert listener.updates[1]["outcomes"][0]["back_odds"] == 1_500
    assert listener.started_at == [86_000_000]


def test_what_never_turns_in_play_is_never_started() -> None:
    play = Play(Betfair(), Listener(Clockwork()), Pace(math.inf), Totals(), from_in_play=True)

    play.run(iter([OPENING]), Signal())

    assert not play.is_started


def test_malformed_messages_are_counted_told_and_skipped(caplog: pytest.LogCaptureFixture) -> None:
    messages = [OPENING, b"{", b"", mcm(mc(market="1.1", rc=[{"id": 11, "atb": "x"}]), at=500), mcm(CLOSING, at=1_000)]

    with caplog.at_level(logging.WARNING):
        listener, totals = played(messages)

    assert (totals.messages, totals.malformed) == (2, 2)
    assert listener.told[-1] == (1, "1.1", "settled")
    assert [record.message.partition(":")[0] for record in caplog.records] == ["line 2 is skipped", "line 4 is skipped"]


def test_a_file_full_of_garbage_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        _, totals = played([OPENING, *[b"garbage"] * 1_000])

    assert totals.malformed == 1_000
    assert len(caplog.records) == MOST_COMPLAINTS + 1


def test_stopped_it_suspends_what_is_open_and_tells_no_more() -> None:
    stop = Signal()

    def messages() -> Iterator[bytes]:
        yield OPENING
        yield mcm(mc(market="1.1", tv=5), at=1_000)
        stop.set()
        yield mcm(mc(market="1.1", tv=6), at=2_000)
        raise AssertionError("read on although stopped")

    listener, _ = played(messages(), stop=stop)

    assert listener.told[2:] == [(1, "1.1", "open"), (1, "1.1", "suspended")]


def test_conflated_messages_are_counted() -> None:
    _, totals = played([OPENING, mcm(mc(market="1.1", tv=5), con=True), mcm(CLOSING)])

    assert totals.conflated == 1


@needed
def test_the_match_is_played_in_step_with_its_own_clock() -> None:
    """Nearly four hours in play, on a clock of its own."""
    listener, totals = played(lines(stream(CRICKET)), from_in_play=True)

    assert (totals.messages, totals.malformed) == (18_529, 0)
    assert len(listener.told) == 17_517
    assert 3.7 * 3_600 < listener.told[-1][0] < 3.9 * 3_600
    assert [status for *_, status in listener.told].count("settled") == 1
    assert listener.told[-1][2] == "settled"
    assert all(one <= other for (one, *_), (other, *_) in zip(listener.told, listener.told[1:], strict=False))
