"""A recording played by a clock that moves only when somebody waits: what is told, and when."""

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from threading import Event as Signal

import pytest

from tests.trading.feeds.messages import PT, definition, image, mc, mcm, price, runner
from tests.trading.feeds.recordings import CRICKET, STREAMS, needed, stream
from tests.trading.feeds.test_pacing import Clockwork
from trading.feeds.adapter import Taken, Update
from trading.feeds.counting import MOST_COMPLAINTS, TROUBLE, Totals
from trading.feeds.pacing import Pace
from trading.feeds.playing import Play
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


def test_a_provider_that_is_heard_again_opens_no_market_that_it_does_not_tell_of() -> None:
    told_of, silent = mc(market="1.3", d=definition()), mc(market="1.4", d=definition())
    messages = [image(told_of, silent, at=0), *(mcm(ct="HEARTBEAT", at=at) for at in (5_000, 40_000))]

    listener, _ = played([*messages, mcm(mc(market="1.3", tv=5), at=41_000)])

    after, the_end = listener.told[4:-2], listener.told[-2:]
    assert after == [(40, "1.3", "suspended"), (40, "1.4", "suspended"), (41, "1.3", "open")]
    assert [status for *_, status in the_end] == ["suspended", "suspended"]


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


def test_a_message_that_cannot_be_read_suspends_at_once_until_an_image() -> None:
    messages = [
        OPENING,
        mcm(mc(market="1.1", rc=[{"id": 11, "atb": "x"}]), at=500),
        mcm(mc(market="1.1", tv=5), at=1_000),
        mcm(mc(market="1.1", d=definition(version=101), img=True), at=2_000),
        b"{",
        mcm(CLOSING, at=3_000),
    ]

    assert [entry for entry in told(messages) if entry[1] == "1.1"] == [
        (0, "1.1", "open"),
        (0, "1.1", "suspended"),
        (1, "1.1", "suspended"),
        (2, "1.1", "open"),
        (2, "1.1", "suspended"),
        (3, "1.1", "settled"),
    ]


def test_what_is_refused_before_the_start_is_not_told_but_counts() -> None:
    running = mc(market="1.2", d=definition(inPlay=True, version=101))

    listener, totals = played([OPENING, b"{", mcm(running, at=1_000)], from_in_play=True)

    assert listener.told[:2] == [(0, "1.1", "suspended"), (0, "1.2", "suspended")]
    assert totals.malformed == 1


class Faulty(Betfair):
    """An adapter with a fault that nobody foresaw."""

    def take(self, message: bytes) -> Taken:
        if message == b"fault":
            raise OverflowError("too much")
        return super().take(message)


def test_a_fault_of_the_adapter_ends_nothing_and_leaves_nothing_open(caplog: pytest.LogCaptureFixture) -> None:
    totals, listener = Totals(), Listener(clock := Clockwork())

    Play(Faulty(), listener, clock.pace(1), totals).run(iter([OPENING, b"fault", mcm(CLOSING, at=500)]), Signal())

    assert [entry[1:] for entry in listener.told[2:]] == [("1.1", "suspended"), ("1.1", "settled")]
    assert (totals.messages, totals.malformed) == (2, 1)
    assert "OverflowError" in caplog.text


def test_an_error_of_the_file_leaves_nothing_open() -> None:
    def messages() -> Iterator[bytes]:
        yield OPENING
        raise OSError("the disk is gone")

    listener = Listener(clock := Clockwork())
    with pytest.raises(OSError, match="the disk is gone"):
        Play(Betfair(), listener, clock.pace(1), Totals()).run(messages(), Signal())

    assert listener.told[-1] == (0, "1.1", "suspended")


class Failing(Listener):
    """Takes no more after so many updates, once."""

    def __init__(self, clock: Clockwork, most: int) -> None:
        super().__init__(clock)
        self.most = most

    def publish(self, updates: Iterable[Update]) -> None:
        for update in updates:
            if len(self.told) == self.most:
                self.most = -1
                raise RuntimeError("no more")
            super().publish([update])


@pytest.mark.parametrize("most", [1, 2, 3])
def test_whatever_was_told_when_publishing_failed_is_suspended(most: int) -> None:
    """Also where it failed in the midst of suspending a silent provider's markets."""
    opening = image(*(mc(market=f"1.{number}", d=definition()) for number in (1, 2)))
    listener = Failing(clock := Clockwork(), most)
    messages = [opening, mcm(ct="HEARTBEAT", at=1_000), mcm(mc(market="1.1", tv=5), at=60_000)]
    play = Play(Betfair(), listener, clock.pace(1), Totals())

    with pytest.raises(RuntimeError, match="no more"):
        play.run(iter(messages), Signal())

    assert dict(entry[1:] for entry in listener.told) == {"1.1": "suspended", "1.2": "suspended"}


def test_a_slow_recording_without_heartbeats_is_told_as_it_is() -> None:
    """Thirty markets, one of them changed every quarter of a minute."""
    opening = image(*(mc(market=f"1.{number}", d=definition()) for number in range(30)))
    messages = [mcm(mc(market=f"1.{number % 30}", tv=number), at=15_000 * number) for number in range(1, 400)]

    listener, totals = played([opening, *messages])

    assert totals.silences == 0
    assert len(listener.told) == 30 + 399 + 30


def test_all_that_was_strange_is_counted_and_shown() -> None:
    before = {what: TROUBLE.labels("betfair", what)._value.get() for what in ("backwards", "crossed_books")}
    messages = [
        OPENING,
        mcm(mc(market="1.1", rc=[price(11, 2, 1.9)]), at=10_000),
        mcm(mc(market="1.1", d=definition(version=99)), at=5_000),
        mcm(mc(market="1.9", rc=[]), at=11_000),
        mcm(mc(market="1.1", tv=1), at=12_000, segmentType="SEG_END"),
    ]
    totals = Totals("betfair")

    Play(Betfair(), Listener(clock := Clockwork()), clock.pace(math.inf), totals).run(iter(messages), Signal())

    assert asdict(totals) == {
        "provider": "betfair", "messages": 5, "malformed": 0, "conflated": 0, "silences": 0, "backwards": 1,
        "dropped_versions": 1, "lost_segments": 1, "unknown_markets": 1, "crossed_books": 1,
    }  # fmt: skip
    assert {what: TROUBLE.labels("betfair", what)._value.get() - count for what, count in before.items()} == {
        "backwards": 1,
        "crossed_books": 1,
    }


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
@pytest.mark.parametrize("name", STREAMS)
def test_no_recording_has_a_silence_or_anything_strange(name: str) -> None:
    listener, totals = played(lines(stream(name)), speed=math.inf)

    strange = {
        name: count for name, count in asdict(totals).items() if name not in ("provider", "messages", "conflated")
    }
    assert not any(strange.values())
    assert len(listener.told) == totals.messages


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
