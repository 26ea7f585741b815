"""Our book and an independent one are equal after every message of every recording, and of single messages."""

from itertools import islice

import pytest

from tests.trading.feeds.independent import Pair, lines_of
from tests.trading.feeds.recordings import STREAMS, needed, single_messages, stream
from trading.feeds.recording import lines


@needed
@pytest.mark.parametrize("name", STREAMS)
def test_the_book_is_right_after_every_message(name: str) -> None:
    pair = Pair()

    count = 0
    for count, message in enumerate(lines(stream(name)), 1):
        touched = pair.take(message)
        assert not list(pair.differences(touched)), f"after message {count}"

    assert count > 100
    assert not list(pair.differences())
    (market,) = pair.ours.markets.values()
    assert market.definition is not None
    assert market.definition.status == "CLOSED"


@needed
def test_the_markets_of_one_subscription_do_not_touch_each_other() -> None:
    """What is told of other markets changes nothing in a market."""
    pair = Pair()

    for message in lines_of(*(islice(lines(stream(name)), 1_500) for name in STREAMS)):
        touched = pair.take(message)
        assert not list(pair.differences(touched))

    assert not list(pair.differences())
    assert len(pair.ours.markets) == len(STREAMS)


@needed
def test_single_messages_are_read_right() -> None:
    found = single_messages()
    for name, messages in found.items():
        pair = Pair()
        for message in messages:
            pair.take(message)
            assert not list(pair.differences()), name
            ours, theirs = pair.clocks()
            assert ours == theirs

    assert sum(len(messages) for messages in found.values()) > 200
