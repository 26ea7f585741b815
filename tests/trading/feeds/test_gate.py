"""Which markets of a provider may be bet on while it is heard, silent or behind."""

from collections.abc import Iterable
from typing import Any

from tests.trading.feeds.messages import definition, image, mc, mcm
from trading.feeds.adapter import Taken, Update
from trading.feeds.gate import Gate
from trading.feeds.providers.betfair.adapter import Betfair


def seen(updates: Iterable[Update]) -> list[tuple[str, str]]:
    return [(update["market_id"].removeprefix("betfair:"), update["status"]) for update in updates]


def market(name: str, status: str = "OPEN", version: int = 100) -> dict[str, Any]:
    return mc(market=name, d=definition(status=status, version=version))


class Feed:
    """An adapter and its gate."""

    def __init__(self) -> None:
        self.adapter = Betfair()
        self.gate = Gate()

    def take(self, message: bytes) -> list[tuple[str, str]]:
        return seen(self.gate.let_through(self.adapter.take(message)))


def opened() -> Feed:
    feed = Feed()
    assert feed.take(image(market("1.1"), market("1.2", "SUSPENDED"), market("1.3"))) == [
        ("1.1", "open"),
        ("1.2", "suspended"),
        ("1.3", "open"),
    ]
    return feed


def test_what_is_open_is_suspended_once() -> None:
    gate = opened().gate

    assert seen(gate.shut()) == [("1.1", "suspended"), ("1.3", "suspended")]
    assert gate.shut() == []


def test_after_a_silence_a_market_opens_when_it_is_told_itself() -> None:
    feed = opened()
    feed.gate.shut()

    assert feed.take(mcm(market("1.3", version=101))) == [("1.1", "suspended"), ("1.2", "suspended"), ("1.3", "open")]
    assert feed.take(mcm(market("1.3", version=102))) == [("1.3", "open")]
    assert feed.take(mcm(mc(market="1.1", tv=5))) == [("1.1", "open")]


def test_a_heartbeat_after_a_silence_opens_no_market_that_was_told_before() -> None:
    feed = opened()
    feed.gate.shut()

    assert feed.take(mcm(ct="HEARTBEAT")) == [(name, "suspended") for name in ("1.1", "1.2", "1.3")]
    assert feed.take(mcm(market("1.4"))) == [("1.4", "open")]
    assert feed.take(image(market("1.1"))) == [
        ("1.2", "suspended"),
        ("1.3", "suspended"),
        ("1.4", "suspended"),
        ("1.1", "open"),
    ]


def test_a_silence_while_the_provider_is_behind_is_not_over_when_it_has_caught_up() -> None:
    feed = opened()
    feed.take(mcm(ct="HEARTBEAT", status=503))

    assert feed.gate.shut() == []
    assert feed.take(mcm(market("1.1", version=101), status=503)) == [("1.1", "suspended")]
    assert feed.take(mcm(ct="HEARTBEAT")) == [("1.1", "open"), ("1.2", "suspended"), ("1.3", "suspended")]


def test_what_is_suspended_for_a_silence_is_not_told_again_when_it_is_doubted_too() -> None:
    feed = opened()
    feed.gate.shut()
    feed.take(mcm(ct="HEARTBEAT"))

    assert feed.take(b"{") == []
    assert feed.take(mcm(mc(market="1.1", tv=5))) == [("1.1", "suspended")]


def test_a_stale_provider_is_suspended_until_it_is_fresh() -> None:
    feed = opened()

    assert feed.take(mcm(ct="HEARTBEAT", status=503)) == [(name, "suspended") for name in ("1.1", "1.2", "1.3")]
    assert feed.take(mcm(market("1.1", version=101), status=503)) == [("1.1", "suspended")]
    assert feed.take(mcm(ct="HEARTBEAT")) == [("1.1", "open"), ("1.2", "suspended"), ("1.3", "open")]


def test_a_result_is_told_although_the_provider_is_stale() -> None:
    feed = opened()
    closing = mc(
        market="1.1",
        d=definition({"id": 11, "status": "WINNER", "sortPriority": 1}, status="CLOSED", version=101),
    )

    assert ("1.1", "settled") in feed.take(mcm(closing, status=503))
    assert feed.take(mcm(ct="HEARTBEAT")) == [("1.2", "suspended"), ("1.3", "open")]


def test_what_says_nothing_of_freshness_leaves_the_gate_as_it_is() -> None:
    feed = opened()
    feed.gate.shut()

    assert feed.gate.let_through(Taken(None)) == []
    assert seen(feed.gate.all()) == [(name, "suspended") for name in ("1.1", "1.2", "1.3")]


def test_a_market_that_is_lost_is_suspended_and_forgotten() -> None:
    feed = opened()

    assert feed.take(image(market("1.3"))) == [("1.1", "suspended"), ("1.2", "suspended"), ("1.3", "open")]
    assert seen(feed.gate.shut()) == [("1.3", "suspended")]


def test_a_decided_market_is_left_alone() -> None:
    feed = opened()
    feed.take(mcm(market("1.1", "CLOSED", 101)))

    assert seen(feed.gate.shut()) == [("1.3", "suspended")]


def test_only_the_status_changes() -> None:
    feed = Feed()
    (before,) = feed.gate.let_through(feed.adapter.take(image(market("1.1"))))

    (after,) = feed.gate.shut()

    assert before["status"] == "open"
    assert after == {**before, "status": "suspended"}


def test_another_providers_markets_are_no_matter_of_this_one() -> None:
    """A gate knows the markets that came through it, and no others."""
    one, other = opened(), opened()
    one.gate.shut()

    assert seen(other.gate.all()) == [("1.1", "open"), ("1.2", "suspended"), ("1.3", "open")]


def test_a_provider_is_believed_from_its_first_message_on() -> None:
    """Historic files begin with a description and no image."""
    feed = Feed()

    assert feed.take(mcm(market("1.1"))) == [("1.1", "open")]


def test_a_result_that_arrives_while_the_gate_is_shut_is_told_and_forgotten() -> None:
    feed = opened()
    feed.gate.shut()
    closing = mc(
        market="1.1",
        d=definition({"id": 11, "status": "WINNER", "sortPriority": 1}, status="CLOSED", version=101),
    )

    assert feed.take(mcm(closing, status=503)) == [("1.1", "settled")]
    assert seen(feed.gate.all()) == [("1.2", "suspended"), ("1.3", "suspended")]


def test_a_market_that_was_decided_and_leaves_is_told_no_more() -> None:
    feed = opened()
    feed.take(mcm(market("1.1", "CLOSED", 101)))

    assert feed.take(image(market("1.3", version=102))) == [("1.2", "suspended"), ("1.3", "open")]


def test_a_market_that_leaves_with_the_message_that_shuts_the_gate_is_suspended_too() -> None:
    feed = opened()

    assert feed.take(image(market("1.3"), status=503)) == [
        ("1.1", "suspended"),
        ("1.2", "suspended"),
        ("1.3", "suspended"),
    ]
    assert seen(feed.gate.all()) == [("1.3", "suspended")]


def test_the_last_word_is_that_all_is_suspended_however_it_was_told() -> None:
    for feed in (opened(), opened()):
        feed.gate.shut()
        assert seen(feed.gate.end()) == [("1.1", "suspended"), ("1.3", "suspended")]
        assert seen(feed.gate.end()) == [("1.1", "suspended"), ("1.3", "suspended")]

    fresh = opened()
    assert seen(fresh.gate.end()) == [("1.1", "suspended"), ("1.3", "suspended")]
    assert fresh.gate.shut() == []
    assert seen(fresh.gate.all()) == [(name, "suspended") for name in ("1.1", "1.2", "1.3")]


def test_what_is_doubted_already_is_not_told_again() -> None:
    feed = opened()

    assert feed.take(b"{") == [("1.1", "suspended"), ("1.3", "suspended")]
    assert feed.take(b"{") == []
    assert feed.gate.shut() == []


def test_of_what_is_doubted_while_the_gate_is_shut_nothing_is_told() -> None:
    feed = opened()
    feed.gate.shut()

    assert feed.take(b"{") == []


def test_after_an_image_of_all_what_is_new_is_believed_again() -> None:
    feed = opened()
    feed.take(b"{")
    feed.take(image(market("1.3")))

    assert feed.take(mcm(market("1.4"))) == [("1.4", "open")]


def test_an_image_of_all_ends_every_doubt_also_of_what_is_not_in_it() -> None:
    feed = opened()
    feed.take(mcm(mc(market="1.4", rc=[{"id": 11, "atb": "x"}])))
    feed.take(image(market("1.3")))

    assert feed.take(mcm(market("1.4"))) == [("1.4", "open")]


def test_what_says_nothing_of_freshness_is_believed_at_first() -> None:
    (update,) = Betfair().take(mcm(market("1.1"))).updates

    assert seen(Gate().let_through(Taken(None, [update]))) == [("1.1", "open")]
