import pytest

from backoffice.contracts.catalogue import TOPICS, dead_letter_topic, dead_letters, topic_of
from backoffice.contracts.definitions import LIBRARY, canonical, released, schema, schema_text

RECORDS = {
    "player-events": "PlayerRegistered PlayerVerified PlayerStatusChanged LoginSucceeded LoginFailed SessionStarted"
    " SessionEnded LimitChanged SelfExclusionChanged PlayerContacted DocumentSubmitted BonusGranted BonusUsed"
    " BonusCompleted BonusExpired",
    "bet-events": "BetPlaced BetSettled BetVoided BetCashedOut BetResettled",
    "wallet-transactions": "DepositInitiated DepositCompleted DepositDeclined WithdrawalRequested WithdrawalReversed"
    " WithdrawalDeclined WithdrawalPaid StakeTaken StakeReleased StakeRefunded WinningsPaid WinningsReversed"
    " BonusCredited BonusConverted BonusForfeited BalanceAdjusted",
    "game-rounds": "RoundCompleted",
    "odds-feed": "MarketUpdate FeedBegan",
    "market-prices": "MarketPrice",
    "compliance-alerts": "ComplianceAlert",
    "operator-actions": "OperatorAction",
}


def test_every_topic_carries_its_records() -> None:
    assert {name: set(topic.records) for name, topic in TOPICS.items()} == {
        name: set(records.split()) for name, records in RECORDS.items()
    }


def test_a_record_has_one_topic() -> None:
    records = [record for topic in TOPICS.values() for record in topic.records]

    assert len(records) == len(set(records))
    assert all(record in TOPICS[topic_of(record)].records for record in records)


def test_what_the_law_wants_kept_is_kept_for_ever() -> None:
    assert {name for name, topic in TOPICS.items() if topic.retention_days is None and not topic.compacted} == {
        "player-events",
        "bet-events",
        "wallet-transactions",
        "game-rounds",
        "compliance-alerts",
        "operator-actions",
    }


def test_the_dead_letters_have_a_topic_of_their_own() -> None:
    topic = dead_letters(TOPICS["market-prices"])

    assert (topic.name, topic.partitions, topic.retention_days) == ("market-prices.dlq", 2, 400)
    assert (topic.compacted, topic.records) == (False, ())
    assert dead_letter_topic("bet-events") == "bet-events.dlq"


@pytest.mark.parametrize("record", LIBRARY.files())
def test_the_registry_gets_one_text_whatever_the_order_in_the_file(record: str) -> None:
    turned = dict(reversed(schema(record).items()))

    assert canonical(turned) == schema_text(record)
    assert canonical(released(record)[-1]) == schema_text(record)


def test_an_unknown_record_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        topic_of("BetForgotten")
    with pytest.raises(KeyError):
        schema("BetForgotten")
