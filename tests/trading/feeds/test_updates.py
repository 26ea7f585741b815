"""What of the exchange becomes what of the contract."""

from typing import Any

import orjson
import pytest

from backoffice.contracts.codec import encode
from tests.streams.arriving import arrived
from tests.trading.feeds.messages import definition, image, mc, mcm, price, runner
from trading.feeds.adapter import Taken, Update
from trading.feeds.providers.betfair.adapter import Betfair


def taken(*messages: bytes) -> Taken:
    """What the last of the messages leads to."""
    adapter = Betfair()
    for message in messages[:-1]:
        adapter.take(message)
    return adapter.take(messages[-1])


def only(*messages: bytes) -> Update:
    (update,) = taken(*messages).updates
    return update


def described(*runners: dict[str, Any], **changes: Any) -> Update:
    return only(image(mc(d=definition(*runners, **changes))))


def outcomes(update: Update, name: str) -> list[object]:
    return [outcome[name] for outcome in update["outcomes"]]  # type: ignore[literal-required]


def test_a_market_is_told_whole() -> None:
    update = only(image(mc(d=definition(betDelay=5, inPlay=True, numberOfWinners=3), tv=1_234.56, rc=[price(11, 1.5)])))

    named = (update["provider"], update["sport_event_id"], update["market_id"])
    assert named == ("betfair", "betfair:77", "betfair:1.5")
    assert (update["sport"], update["market_type"], update["market_name"]) == ("cricket", "match_odds", "Match odds")
    assert (update["is_in_play"], update["bet_delay"], update["winners"]) == (True, 5, 3)
    assert (update["traded_volume"], update["currency"]) == (123_456, "GBP")
    assert update["starts_at"] == 1_657_537_200_000_000
    assert outcomes(update, "outcome_id") == ["11", "12"]


def test_an_update_is_what_the_contract_takes() -> None:
    update = only(image(mc(d=definition(runner(11, hc=-0.25), runner(12)), rc=[price(12, 1.5, 1000, ltp=3.45)])))
    envelope = {"event_id": "0197f0d0-0000-7000-8000-000000000001", "brand": "all", "jurisdiction": "MT", "version": 1}

    assert encode("MarketUpdate", {**update, **envelope, "occurred_at": 1})
    assert arrived("MarketUpdate", {**update}).num_rows == 1


def test_odds_are_thousandths_and_sizes_pence() -> None:
    update = only(image(mc(d=definition(), rc=[price(11, 1.29, 3.35, size=0.07, ltp=1.3), price(12, lay=1000)])))

    assert outcomes(update, "back_odds") == [1_290, None]
    assert outcomes(update, "back_size") == [7, None]
    assert outcomes(update, "lay_odds") == [3_350, 1_000_000]
    assert outcomes(update, "lay_size") == [7, 1_000]
    assert outcomes(update, "last_odds") == [1_300, None]


def test_the_best_offer_is_the_highest_back_and_the_lowest_lay() -> None:
    ladder = {"atb": [[1.4, 1], [1.5, 2], [1.01, 3]], "atl": [[1.7, 1], [1.6, 2], [1000, 3]]}

    update = only(image(mc(d=definition(), rc=[{"id": 11, **ladder}])))

    assert (update["outcomes"][0]["back_odds"], update["outcomes"][0]["lay_odds"]) == (1_500, 1_600)


def test_full_depth_counts_before_what_is_displayed_and_that_before_the_best() -> None:
    best, displayed = {"batb": [[0, 1.4, 1]]}, {"bdatb": [[0, 1.45, 1], [1, 1.3, 1]]}
    kinds = [best, best | displayed, best | displayed | {"atb": [[1.5, 1]]}]

    for told, odds in zip(kinds, (1_400, 1_450, 1_500), strict=True):
        assert outcomes(only(image(mc(d=definition(), rc=[{"id": 11, **told}]))), "back_odds") == [odds, None]


def test_where_nothing_was_traded_there_is_no_last_price() -> None:
    assert outcomes(only(image(mc(d=definition(), rc=[{"id": 11, "ltp": 0}]))), "last_odds") == [None, None]


def test_a_price_below_one_is_no_odds_and_has_no_size() -> None:
    update = only(image(mc(d=definition(), rc=[price(11, 0.99, 0.5, ltp=0.99), price(12, 1, 1.01, ltp=1)])))

    assert outcomes(update, "back_odds") == outcomes(update, "last_odds") == [None, 1_000]
    assert outcomes(update, "back_size") == outcomes(update, "lay_size") == [None, 1_000]
    assert outcomes(update, "lay_odds") == [None, 1_010]


def test_traded_volume_is_unknown_until_it_is_told() -> None:
    assert described()["traded_volume"] is None
    assert only(image(mc(d=definition(), tv=0)))["traded_volume"] == 0


RUNNER_STATUSES = {
    "ACTIVE": "active", "WINNER": "winner", "LOSER": "loser", "PLACED": "placed", "REMOVED": "removed",
    "REMOVED_VACANT": "removed", "HIDDEN": "inactive", "SOMETHING_NEW": "inactive",
}  # fmt: skip


@pytest.mark.parametrize(("theirs", "ours"), RUNNER_STATUSES.items())
def test_the_status_of_a_runner(theirs: str, ours: str) -> None:
    assert outcomes(described(runner(11, status=theirs)), "status") == [ours]


@pytest.mark.parametrize(
    ("theirs", "runners", "ours"),
    [
        ("OPEN", ["ACTIVE", "ACTIVE"], "open"),
        ("SUSPENDED", ["ACTIVE", "ACTIVE"], "suspended"),
        ("INACTIVE", ["ACTIVE", "ACTIVE"], "suspended"),
        ("SOMETHING_NEW", ["ACTIVE", "ACTIVE"], "suspended"),
        ("CLOSED", ["WINNER", "LOSER"], "settled"),
        ("CLOSED", ["PLACED", "REMOVED"], "settled"),
        ("CLOSED", ["LOSER", "LOSER"], "settled"),
        ("CLOSED", ["REMOVED", "ACTIVE"], "closed"),
        ("CLOSED", [], "closed"),
        ("CLOSED", ["REMOVED", "REMOVED"], "cancelled"),
        ("CLOSED", ["ACTIVE", "ACTIVE"], "closed"),
    ],
)
def test_the_status_of_a_market(theirs: str, runners: list[str], ours: str) -> None:
    told = [runner(11 + place, place, status=status) for place, status in enumerate(runners)]

    assert described(*told, status=theirs)["status"] == ours


def test_a_suspended_market_keeps_its_prices() -> None:
    opening = image(mc(d=definition(), rc=[price(11, 1.5)]))

    update = only(opening, mcm(mc(d=definition(status="SUSPENDED", version=101))))

    assert (update["status"], outcomes(update, "back_odds")) == ("suspended", [1_500, None])


def test_the_turn_in_play() -> None:
    opening = image(mc(d=definition(), rc=[price(11, 1.5)]))
    shut = mcm(mc(d=definition(status="SUSPENDED", version=101)))
    running = mcm(mc(d=definition(version=102, inPlay=True, betDelay=5)))

    updates = [only(opening), only(opening, shut), only(opening, shut, running)]

    assert [(update["status"], update["is_in_play"], update["bet_delay"]) for update in updates] == [
        ("open", False, 0),
        ("suspended", False, 0),
        ("open", True, 5),
    ]


def test_a_removed_runner_stays_an_outcome() -> None:
    update = described(runner(12, 1), runner(11, 2, status="REMOVED", removalDate="2022-07-11T10:00:00.000Z"))

    assert list(zip(outcomes(update, "outcome_id"), outcomes(update, "status"), strict=True)) == [
        ("12", "active"),
        ("11", "removed"),
    ]


def test_outcomes_stand_in_the_order_of_their_priority() -> None:
    update = described(runner(11, 3), runner(12, 1), runner(13, 2))

    assert outcomes(update, "outcome_id") == ["12", "13", "11"]


def test_a_runner_that_is_not_described_any_more_is_inactive_and_last() -> None:
    update = only(image(mc(d=definition())), mcm(mc(d=definition(runner(12), version=101))))

    assert list(zip(outcomes(update, "outcome_id"), outcomes(update, "status"), strict=True)) == [
        ("12", "active"),
        ("11", "inactive"),
    ]


def test_each_way_names_its_terms() -> None:
    update = described(marketType="EACH_WAY", eachWayDivisor=4, numberOfWinners=2)

    assert (update["market_name"], update["winners"]) == ("Each way (1/4 of the odds, 2 places)", 2)


def test_runners_with_handicaps_are_outcomes_of_their_own() -> None:
    update = described(runner(11, 1, hc=-0.25, name="Alba"), runner(11, 2, hc=0.25, name="Alba"), runner(12, 3, hc=0))

    assert outcomes(update, "outcome_id") == ["11:-0.25", "11:0.25", "12"]
    assert outcomes(update, "name") == ["Alba -0.25", "Alba +0.25", "12"]


def test_names_come_from_the_definition_where_it_has_them() -> None:
    update = described(runner(11, name="Alba"), runner(12, 2), name="To win", eventName="Alba v Brac", venue="Split")

    assert (update["event_name"], update["market_name"], update["competition"]) == ("Alba v Brac", "To win", "Split")
    assert outcomes(update, "name") == ["Alba", "12"]


def test_a_catalogue_names_what_the_stream_does_not() -> None:
    catalogue = {
        "op": "marketCatalogue", "marketId": "1.5", "marketName": "Match winner",
        "event": {"id": "77", "name": "A v B"}, "competition": {"id": "9", "name": "Island cup"},
        "runners": [{"selectionId": 11, "runnerName": "Alba"}, {"selectionId": 12, "runnerName": "Brac"}],
    }  # fmt: skip
    adapter = Betfair()
    adapter.learn(orjson.dumps(catalogue))

    (update,) = adapter.take(image(mc(d=definition()))).updates

    assert (update["event_name"], update["market_name"], update["competition"]) == (
        "A v B",
        "Match winner",
        "Island cup",
    )
    assert outcomes(update, "name") == ["Alba", "Brac"]


def test_a_score_stream_names_the_teams() -> None:
    scores = {"op": "ccm", "cc": [{"eventId": "77", "homeTeam": {"name": "Alba", "selectionId": 11},
                                   "awayTeam": {"name": "Brac", "selectionId": 12}}]}  # fmt: skip
    adapter = Betfair()
    before = adapter.take(image(mc(d=definition()))).updates[0]
    adapter.learn(orjson.dumps(scores))

    (update,) = adapter.take(mcm(mc(tv=1))).updates

    assert (before["event_name"], update["event_name"]) == ("77", "Alba v Brac")
    assert outcomes(update, "name") == ["Alba", "Brac"]


def test_a_sport_that_has_no_name_here_keeps_its_number() -> None:
    assert described(eventTypeId="99999")["sport"] == "betfair:99999"


SPORTS = {
    "1": "football", "2": "tennis", "3": "golf", "4": "cricket", "5": "rugby_union", "6": "boxing", "7": "horse_racing",
    "1477": "rugby_league", "2378961": "politics", "3503": "darts", "4339": "greyhound_racing", "6422": "snooker",
    "6423": "american_football", "7511": "baseball", "7522": "basketball", "7524": "ice_hockey",
}  # fmt: skip


@pytest.mark.parametrize(("number", "sport"), SPORTS.items())
def test_the_sports_of_the_exchange(number: str, sport: str) -> None:
    assert described(eventTypeId=number)["sport"] == sport


def test_a_market_of_lines_has_a_line_and_no_odds() -> None:
    """Its prices are goals or runs, each at even money."""
    rc = [price(11, 45.5, 46.5, ltp=46), price(12, 1.5, 1.6, ltp=1.55)]

    lines = only(image(mc(d=definition(bettingType="LINE"), rc=rc)))
    without = only(image(mc(d=definition(bettingType="LINE"))))

    for name in ("back_odds", "back_size", "lay_odds", "lay_size", "last_odds"):
        assert outcomes(lines, name) == [None, None]
    assert (lines["line"], without["line"]) == ("46", None)
    assert only(image(mc(d=definition(bettingType="LINE"), rc=[price(12, ltp=45.75)])))["line"] == "45.75"


@pytest.mark.parametrize("kind", ["RANGE", "SOMETHING_NEW"])
def test_prices_of_which_we_do_not_know_that_they_are_odds_are_none(kind: str) -> None:
    update = only(image(mc(d=definition(bettingType=kind), rc=[price(11, 45.5, 46.5, ltp=46)])))

    assert (update["line"], outcomes(update, "back_odds"), outcomes(update, "last_odds")) == (
        None,
        [None] * 2,
        [None] * 2,
    )


@pytest.mark.parametrize(
    "kind", [None, "ODDS", "ASIAN_HANDICAP_SINGLE_LINE", "ASIAN_HANDICAP_DOUBLE_LINE", "FIXED_ODDS"]
)
def test_prices_that_are_odds(kind: str | None) -> None:
    update = only(image(mc(d=definition(bettingType=kind), rc=[price(11, 1.5, 1.6, ltp=1.55)])))

    assert (update["line"], outcomes(update, "back_odds"), outcomes(update, "last_odds")) == (
        None,
        [1_500, None],
        [1_550, None],
    )


def test_a_market_that_turns_out_to_be_of_lines_loses_its_odds() -> None:
    opening = image(mc(d=definition(), rc=[price(11, 1.5)]))

    assert outcomes(only(opening, mcm(mc(d=definition(bettingType="LINE", version=101)))), "back_odds") == [None, None]


@pytest.mark.parametrize(
    ("handicap", "written"),
    [
        (123_456.5, "123456.5"), (123_456.25, "123456.25"), (-0.25, "-0.25"), (1, "1"), (1.0, "1"), (-2.0, "-2"),
        (0.1, "0.1"), (1_000_000, "1000000"), (1e-7, "1e-07"),
    ],
)  # fmt: skip
def test_a_handicap_is_exact_in_the_id(handicap: float, written: str) -> None:
    (outcome,) = described(runner(11, hc=handicap, name="Alba"))["outcomes"]

    assert outcome["outcome_id"] == f"11:{written}"
    assert outcome["name"] == f"Alba {'+' if handicap > 0 else ''}{written}"


@pytest.mark.parametrize("handicap", [None, 0, 0.0, -0.0])
def test_no_handicap_is_not_written(handicap: float | None) -> None:
    (outcome,) = described(runner(11, hc=handicap, name="Alba"))["outcomes"]

    assert (outcome["outcome_id"], outcome["name"]) == ("11", "Alba")


def test_long_names_are_cut_and_what_tells_them_apart_is_kept() -> None:
    long = "x" * 250
    runners = [runner(11, 1, name=long, hc=-0.5), runner(11, 2, name=long, hc=0.5), runner(12, 3, name=long)]

    update = described(*runners, name=long, eventName=long, venue=long, eachWayDivisor=4, numberOfWinners=3)

    assert outcomes(update, "name") == ["x" * 195 + " -0.5", "x" * 195 + " +0.5", "x" * 200]
    assert update["market_name"] == "x" * 172 + " (1/4 of the odds, 3 places)"
    assert update["event_name"] == update["competition"] == "x" * 200
    assert arrived("MarketUpdate", {**update}).num_rows == 1


def test_a_name_is_cut_where_it_is_learnt_too() -> None:
    adapter = Betfair()
    teams = [{"selectionId": 11 + side, "name": "y" * 250} for side in range(2)]
    adapter.learn(orjson.dumps({"op": "ccm", "cc": [{"eventId": "77", "homeTeam": teams[0], "awayTeam": teams[1]}]}))

    (update,) = adapter.take(image(mc(d=definition()))).updates

    assert update["event_name"] == "y" * 200
    assert outcomes(update, "name") == ["y" * 200] * 2


def test_what_cannot_be_printed_is_no_part_of_a_name() -> None:
    update = described(runner(11, name="a\x7fb\x85c\u202ed\n"), name="\u2066", venue="\t e \0")

    assert outcomes(update, "name") == ["a b c d"]
    assert (update["market_name"], update["event_name"], update["competition"]) == ("Match odds", "e", "e")


def test_where_no_catalogue_names_an_event_its_definition_does_or_its_venue() -> None:
    named = [
        described(eventName="Cup"),
        described(eventName="Cup", venue="Ascot"),
        described(venue="Ascot"),
        described(),
    ]

    assert [(update["event_name"], update["competition"]) for update in named] == [
        ("Cup", ""),
        ("Cup", "Ascot"),
        ("Ascot", "Ascot"),
        ("77", ""),
    ]


def test_a_sport_and_a_type_are_as_long_as_the_contract_has_them() -> None:
    update = described(eventTypeId="9" * 60, marketType="\u0130" * 64)

    assert update["sport"] == "betfair:" + "9" * 56
    assert arrived("MarketUpdate", {**update}).num_rows == 1


def test_an_update_that_was_told_is_not_changed_by_the_next_message() -> None:
    adapter = Betfair()
    (first,) = adapter.take(image(mc(d=definition(), rc=[price(11, 1.5)]))).updates
    before = orjson.dumps(first)

    (second,) = adapter.take(mcm(mc(rc=[price(11, 1.6)]))).updates

    assert orjson.dumps(first) == before
    assert outcomes(second, "back_odds") == [1_600, None]


def test_a_market_without_a_description_is_lost_and_not_told() -> None:
    told = taken(image(mc(d=definition())), mcm(mc(img=True, rc=[price(11, 1.5)])))

    assert (told.updates, told.lost) == ([], ["betfair:1.5"])


def test_a_market_that_left_the_subscription_is_lost() -> None:
    told = taken(image(mc(d=definition())), image(mc(market="1.6", d=definition())))

    assert ([update["market_id"] for update in told.updates], told.lost) == (["betfair:1.6"], ["betfair:1.5"])


def test_what_the_connection_says_of_itself() -> None:
    opening = image(mc(d=definition()))
    refused = orjson.dumps({"op": "status", "statusCode": "FAILURE", "errorCode": "TIMEOUT", "connectionClosed": True})
    accepted = orjson.dumps({"op": "status", "statusCode": "SUCCESS"})

    assert taken(opening).is_stale is False
    assert taken(opening, mcm(ct="HEARTBEAT", status=503)).is_stale is True
    assert taken(opening, refused).is_stale is True
    assert taken(opening, accepted).is_stale is None
    assert taken(orjson.dumps({"op": "connection", "connectionId": "1"})) == Taken(None)
    assert taken(image(mc(d=definition()), segmentType="SEG_START")).is_stale is None
    assert taken(opening, mcm(mc(tv=1), con=True)).is_conflated
    assert taken(opening, mcm(mc(tv=1, con=True))).is_conflated
    assert not taken(opening, mcm(mc(tv=1))).is_conflated
