"""Versions that are older than what was taken are dropped, counted, and leave no market open with old prices."""

import pytest

from tests.trading.feeds.messages import definition, image, mc, mcm, price, runner
from tests.trading.feeds.told import ONE, TWO, Told, bad, market, part


def test_versions_that_are_dropped_are_counted() -> None:
    older = mcm(mc(market=ONE, d=definition(version=99, status="SUSPENDED")))

    assert Told(older, older).trouble() == {"dropped_versions": 2}
    assert Told(mcm(market(ONE, 99, img=True))).trouble() == {"dropped_versions": 1}
    assert Told(mcm(market(ONE, 100))).trouble() == {}


def test_an_image_that_is_older_is_no_reason_to_believe() -> None:
    assert Told(mcm(bad()), mcm(market(ONE, 99, img=True))).status[ONE] == "suspended"


OLDER_IMAGE = mcm(mc(market=ONE, img=True, d=definition(version=99), rc=[price(11, 1.2, 1.21), price(12, 5, 5.1)]))
OLDER_CHANGE = mcm(mc(market=ONE, d=definition(version=99, status="SUSPENDED"), rc=[price(11, 1.2)]))


@pytest.mark.parametrize("older", [OLDER_IMAGE, OLDER_CHANGE])
def test_what_is_dropped_is_missed_until_an_image_is_taken(older: bytes) -> None:
    told = Told(older)
    assert told.status == {ONE: "suspended", TWO: "open"}

    assert told.take(mcm(mc(market=ONE, tv=5))).status[ONE] == "suspended"
    assert told.take(mcm(mc(market=ONE, d=definition(version=101)))).status[ONE] == "suspended"
    assert told.take(OLDER_IMAGE).status[ONE] == "suspended"
    assert told.take(mcm(market(ONE, 101, img=True))).status == {ONE: "open", TWO: "open"}


def test_changes_of_an_image_that_was_dropped_are_not_folded_into_the_book_before_it() -> None:
    told = Told(OLDER_IMAGE, mcm(mc(market=ONE, tv=7, rc=[{"id": 11, "atl": [[1.21, 0], [1.22, 5]]}])))
    best = [(each["back_odds"], each["lay_odds"]) for each in told.taken.updates[0]["outcomes"]]
    assert best == [(1_500, 1_600), (2_500, 2_600)]
    assert (told.taken.updates[0]["traded_volume"], told.trouble()) == (None, {"dropped_versions": 1})

    told.take(mcm(market(ONE, 101, img=True)), mcm(mc(market=ONE, rc=[{"id": 11, "atl": [[1.6, 0], [1.7, 5]]}])))
    assert told.taken.updates[0]["outcomes"][0]["lay_odds"] == 1_700


def test_a_result_is_told_of_a_market_whose_image_was_dropped() -> None:
    over = definition(runner(11, status="WINNER"), status="CLOSED", version=101)

    assert Told(OLDER_IMAGE, mcm(mc(market=ONE, d=over))).status[ONE] == "settled"


def test_of_several_images_of_a_market_in_one_message_the_last_one_settles_it() -> None:
    taken, older = market(ONE, 101, img=True), market(ONE, 99, img=True)

    assert Told(mcm(taken, older)).status[ONE] == "suspended"
    assert Told(mcm(older, taken)).status[ONE] == "open"
    assert Told(mcm(taken, older, market(ONE, 102, img=True))).status[ONE] == "open"


def test_what_is_dropped_within_an_image_of_all_is_missed_too() -> None:
    newer, older = market("1.9", 101), market("1.9", 99)

    told = Told(image(market(TWO), newer, older))
    assert told.status == {ONE: "suspended", TWO: "open", "1.9": "suspended"}
    assert told.take(mcm(mc(market="1.9", tv=5))).status["1.9"] == "suspended"
    assert Told(part("SEG_START", newer), part("SEG_END", older, market(TWO))).status["1.9"] == "suspended"
    assert told.take(image(market(TWO), newer)).status == {ONE: "suspended", TWO: "open", "1.9": "open"}


def test_a_version_that_jumps_ahead_does_not_leave_the_market_open_while_all_that_follow_are_dropped() -> None:
    ahead = mcm(mc(market=ONE, d=definition(version=2**53)))
    told = Told(ahead, mcm(mc(market=ONE, d=definition(version=101))), mcm(market(ONE, 102, img=True)))

    assert told.status == {ONE: "suspended", TWO: "open"}
    assert told.trouble() == {"dropped_versions": 2}
    assert told.take(image(market(ONE, 103), market(TWO))).status[ONE] == "open"
