"""What a person does with a dead letter, through the commands."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka import Producer
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from backoffice.contracts.codec import Decoder, encode, frame
from backoffice.contracts.definitions import schema
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.generator import generate
from backoffice.streams import telemetry
from backoffice.streams.kafka.clients import producer
from backoffice.streams.standing import standing_headers
from tests.faults.checks import reconciled
from tests.spine import PATIENCE_SECONDS, Spine, produce
from tests.streams.arriving import event_of
from tests.streams.outbox.relaying import relaying

START = datetime(2026, 1, 1, tzinfo=UTC)
# The broker's limit of 1,048,588 bytes less what frames a batch of one.
LARGEST_OF_KAFKA = 1_048_400


@pytest.fixture
def bet() -> Event:
    stream = generate(seed=3, start=START, events=None, step=timedelta(milliseconds=20), players=60)
    return next(event for event in stream if event.record == "BetPlaced")


@pytest.fixture
def letter(spine: Spine, bet: Event) -> int:
    """The number of the dead letter of a bet with a negative stake."""
    spine.send([Event(bet.record, bet.key, bet.body | {"stake": -500})])
    spine.drain("trading")
    return int(spine.value("SELECT id FROM streams_deadletter"))


def test_the_list_says_what_is_wrong_and_where(spine: Spine, letter: int) -> None:
    (line,) = said("list").splitlines()

    assert str(letter) in line
    assert "bet-events[" in line
    assert "stake is −500; it must be at least 1 (BetPlaced.stake)" in line


def test_one_dead_letter_is_shown_with_its_event(spine: Spine, letter: int, bet: Event) -> None:
    shown = json.loads(said("show", str(letter)))

    assert shown["event"]["bet_id"] == bet.body["bet_id"]
    assert shown["event"]["stake"] == -500
    assert shown["state"] == "open"


def test_a_mended_event_is_stored(spine: Spine, letter: int, bet: Event, tmp_path: Path) -> None:
    mended = tmp_path / "bet.json"
    mended.write_text(json.dumps(bet.body))

    said("replay", str(letter), "--reason", "the sign was wrong", "--by", "ana", "--event", str(mended))
    relay(spine)
    spine.drain("trading")

    assert spine.rows("SELECT stake FROM trading_bet") == [(bet.body["stake"],)]
    assert state(spine, letter) == ("replayed", "ana", "the sign was wrong")


def test_a_replay_as_it_is_dies_again_as_a_new_dead_letter(spine: Spine, letter: int) -> None:
    said("replay", str(letter), "--reason", "the rule was mended")
    relay(spine)
    spine.drain("trading")

    assert spine.value("SELECT count(*) FROM streams_deadletter WHERE state = 'open' AND id <> %s", letter) == 1
    assert spine.value("SELECT count(*) FROM trading_bet") == 0


def test_a_discarded_one_stays_with_its_reason_and_is_not_done_twice(spine: Spine, letter: int) -> None:
    said("discard", str(letter), "--reason", "a test of the producer", "--by", "ana")

    with pytest.raises(CommandError, match="discarded already; nothing was done"):
        said("replay", str(letter), "--reason", "after all")

    assert state(spine, letter) == ("discarded", "ana", "a test of the producer")
    assert spine.value("SELECT count(*) FROM streams_outbox WHERE topic = 'bet-events'") == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("discard", "{n}", "--reason", " "), "Say why"),
        (("discard", "999", "--reason", "x"), "There is no dead letter 999"),
        (("replay", "{n}", "--reason", "x", "--event", "{f}"), "does not fit BetPlaced"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    spine: Spine, letter: int, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    file = tmp_path / "event.json"
    file.write_text('{"stake": "much"}')

    with pytest.raises(CommandError, match=says):
        said(*(argument.format(n=letter, f=file) for argument in arguments))

    assert state(spine, letter) == ("open", "", "")
    assert spine.value("SELECT count(*) FROM streams_outbox WHERE topic = 'bet-events'") == 0


def test_the_dead_letter_topic_has_the_message_and_the_reason(spine: Spine, letter: int, bet: Event) -> None:
    relay(spine)

    ((key, value, headers),) = spine.read("bet-events.dlq")
    assert key == bet.key.encode()
    assert value == frame(spine.registry.register("BetPlaced"), encode("BetPlaced", bet.body | {"stake": -500}))
    assert headers["topic"] == "bet-events"
    assert "it must be at least 1" in headers["reason"]


@pytest.mark.parametrize("where", ["value", "key"])
def test_a_dead_letter_as_large_as_its_topic_takes_does_not_hold_up_the_others(spine: Spine, where: str) -> None:
    large = random.Random(1).randbytes(LARGEST_OF_KAFKA)
    message = (b"k", large) if where == "value" else (large, b"junk")
    sender = Producer({**settings.KAFKA, "message.max.bytes": 2_000_000})
    produce(sender, f"{spine.prefix}bet-events", *message, partition=0)
    assert sender.flush(PATIENCE_SECONDS) == 0
    spine.send_bytes("bet-events", [b"junk"], key=b"small", partition=0)
    spine.drain("trading")

    relay(spine)

    kept = spine.rows('SELECT key, value FROM streams_deadletter ORDER BY "offset"')
    assert [(bytes(key), bytes(value)) for key, value in kept] == [message, (b"small", b"junk")]
    (cut_key, cut_value, headers), small = sorted(spine.read("bet-events.dlq"), key=lambda copy: copy[2]["offset"])
    assert message[0].startswith(cut_key or b"-")
    assert message[1].startswith(cut_value or b"-")
    assert headers["cut_from_value_length"] == str(len(message[1]))
    assert headers["cut_from_key_length"] == str(len(message[0]))
    assert (small[:2], "cut_from_value_length" in small[2]) == ((b"small", b"junk"), False)
    reconciled()


def test_one_that_is_too_large_to_be_sent_again_is_refused(spine: Spine) -> None:
    sender = Producer({**settings.KAFKA, "message.max.bytes": 2_000_000})
    produce(sender, f"{spine.prefix}bet-events", b"k", random.Random(1).randbytes(LARGEST_OF_KAFKA))
    assert sender.flush(PATIENCE_SECONDS) == 0
    spine.drain("trading")
    letter = int(spine.value("SELECT id FROM streams_deadletter"))

    with pytest.raises(CommandError, match="larger than the 900,000 bytes"):
        said("replay", str(letter), "--reason", "the rule was mended")

    assert state(spine, letter) == ("open", "", "")


@pytest.fixture
def standing(spine: Spine) -> Iterator[None]:
    """Reads as a player's status is decided: live, checked a second time, and made anew."""
    yield
    reconciled()
    before = spine.rows("SELECT status, status_logged_at, status_offset FROM players_player")
    call_command("rebuild", "players_player", stdout=StringIO())
    assert spine.rows("SELECT status, status_logged_at, status_offset FROM players_player") == before
    reconciled()


def status(spine: Spine, number: int, value: str) -> bytes:
    body = event_of(
        "PlayerStatusChanged", event_id=str(UUID(int=number)), player_id=str(UUID(int=9)), status=value
    )  # fmt: skip
    return frame(spine.registry.register("PlayerStatusChanged"), encode("PlayerStatusChanged", body))


@pytest.mark.parametrize("times", ["LogAppendTime", "CreateTime"])
@pytest.mark.usefixtures("standing")
def test_a_dead_letter_that_dies_again_is_still_as_old_as_it_was(spine: Spine, times: str, tmp_path: Path) -> None:
    """Sent again as it is, and then mended, it does not undo what was told after it."""
    spine.set_topic("player-events", **{"message.timestamp.type": times})
    spine.send_bytes("player-events", [status(spine, 1, "active") + b"\0", status(spine, 2, "frozen")], partition=0)
    spine.drain("players")
    said("replay", str(spine.value("SELECT id FROM streams_deadletter")), "--reason", "perhaps it passes now")
    relay(spine)
    spine.drain("players")
    first, second = spine.rows(
        'SELECT standing_appended, standing_logged, standing_offset, "offset" FROM streams_deadletter ORDER BY id'
    )
    assert (first[:3], second[3]) == (second[:3], 2)
    assert first[0] == first[1], "when the broker took it is how far its log had come, and is not known of some"

    mended = tmp_path / "status.json"
    body = event_of("PlayerStatusChanged", event_id=str(UUID(int=1)), player_id=str(UUID(int=9)), status="active")
    mended.write_text(json.dumps(body, default=lambda at: int(at.timestamp() * 1_000_000)))
    number = spine.value("SELECT max(id) FROM streams_deadletter")
    said("replay", str(number), "--reason", "mended", "--event", str(mended))
    relay(spine)
    spine.drain("players")

    assert spine.rows("SELECT status, status_offset FROM players_player") == [("frozen", 1)]
    assert spine.value("SELECT count(*) FROM streams_event WHERE stream = 'players'") == 2


def price(spine: Spine, number: int, version: int) -> bytes:
    body = event_of("MarketPrice", event_id=str(UUID(int=number)), market_id="m", version=version, status="open")
    return frame(spine.registry.register("MarketPrice"), encode("MarketPrice", body))


@pytest.mark.parametrize("elsewhere", [0, 1])
def test_what_a_tombstone_deleted_stays_deleted(spine: Spine, elsewhere: int) -> None:
    """Live, checked and made anew; also where the key has moved to a partition that is read first."""
    bad, good = price(spine, 1, 1) + b"\0", price(spine, 2, 2)
    spine.send_bytes("market-prices", [bad, good], key=b"m", partition=elsewhere)
    spine.drain("trading")
    assert spine.value("SELECT count(*) FROM trading_offer") == 1
    spine.send_bytes("market-prices", [None], key=b"m", partition=0)
    spine.drain("trading")
    sent = standing_headers(*spine.rows("SELECT standing_logged, standing_offset FROM streams_deadletter")[0])
    sender = producer(settings.KAFKA)
    sender.produce(f"{spine.prefix}market-prices", price(spine, 1, 1), b"m", partition=elsewhere, headers={**sent})
    assert sender.flush(PATIENCE_SECONDS) == 0
    spine.drain("trading")

    assert spine.value("SELECT count(*) FROM trading_offer") == 0
    reconciled()
    for table in ("trading_offer", "trading_price"):
        call_command("rebuild", table, stdout=StringIO())
        assert spine.value(f"SELECT count(*) FROM {table}") == 0
    reconciled()


def mended_price(folder: Path, version: int) -> str:
    """A file with the event that `price` of that version was to be."""
    path = folder / "price.json"
    body = event_of("MarketPrice", event_id=str(UUID(int=1)), market_id="m", version=version, status="open")
    path.write_text(json.dumps(body, default=lambda at: int(at.timestamp() * 1_000_000)))
    return str(path)


def test_a_price_that_was_told_anew_is_not_sent_again(spine: Spine, tmp_path: Path) -> None:
    """Compaction would keep the old one, and a rebuild would find only that."""
    spine.send_bytes("market-prices", [price(spine, 1, 1) + b"\0", price(spine, 2, 2)], key=b"m", partition=0)
    spine.drain("trading")
    letter = int(spine.value("SELECT id FROM streams_deadletter"))

    for mended in ((), ("--event", mended_price(tmp_path, 1))):
        with pytest.raises(CommandError, match=r"Of its key \(m\) something newer was told"):
            said("replay", str(letter), "--reason", "again", *mended)

    assert state(spine, letter)[0] == "open"
    assert spine.value("SELECT count(*) FROM streams_outbox WHERE topic = 'market-prices'") == 0


def test_a_replay_that_comes_behind_a_newer_price_is_told(spine: Spine, tmp_path: Path) -> None:
    """The stream lags: when the dead letter was sent again, nobody could know."""
    spine.send_bytes("market-prices", [price(spine, 1, 1) + b"\0"], key=b"m")
    spine.drain("trading")
    spine.send_bytes("market-prices", [price(spine, 2, 2)], key=b"m")
    letter = str(spine.value("SELECT id FROM streams_deadletter"))
    said("replay", letter, "--reason", "again", "--event", mended_price(tmp_path, 1))
    relay(spine)

    spine.drain("trading")

    assert spine.rows("SELECT version FROM trading_offer") == [(2,)]
    (told,) = spine.rows("SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert'")
    alert = Decoder(schema("ComplianceAlert"))(bytes(told[0]))
    assert (alert["kind"], json.loads(str(alert["evidence"]))) == ("older_message_came_last", {"keys": ["m"]})


def test_a_price_under_a_wrong_key_is_sent_again_under_its_own(spine: Spine, tmp_path: Path) -> None:
    spine.send_bytes("market-prices", [price(spine, 1, 1)], key=b"another")
    spine.drain("trading")
    reconciled()
    number = str(spine.value("SELECT id FROM streams_deadletter"))

    said("replay", number, "--reason", "key", "--event", mended_price(tmp_path, 1))
    relay(spine)
    spine.drain("trading")

    assert spine.rows("SELECT market_id FROM trading_offer") == [("m",)]
    assert {key for key, _, _ in spine.read("market-prices")} == {b"another", b"m"}
    reconciled()


def test_a_price_under_a_wrong_key_that_is_stored_is_a_difference(spine: Spine) -> None:
    spine.send_bytes("market-prices", [price(spine, 1, 1)], key=b"another")
    spine.drain("trading")
    spine.rows("DELETE FROM streams_deadletter RETURNING 1")

    with pytest.raises(AssertionError, match="comes under another key than its market_id, and no dead letter tells"):
        reconciled()


@pytest.mark.usefixtures("standing")
def test_a_header_that_claims_a_place_in_the_future_is_not_believed(spine: Spine) -> None:
    sender, before = producer(settings.KAFKA), telemetry.UNBELIEVED.labels("player-events")._value.get()
    far: dict[str, str | bytes | None] = {
        "replay_offset": "5",
        "replay_logged": str(int(datetime(2099, 1, 1, tzinfo=UTC).timestamp() * 1_000)),
    }
    sender.produce(f"{spine.prefix}player-events", status(spine, 1, "active"), b"k", partition=0, headers=far)
    assert sender.flush(PATIENCE_SECONDS) == 0
    spine.send_bytes("player-events", [status(spine, 2, "frozen")], partition=0)

    spine.drain("players")

    assert spine.rows("SELECT status, status_offset FROM players_player") == [("frozen", 1)]
    assert telemetry.UNBELIEVED.labels("player-events")._value.get() > before


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("deadletters", *arguments, stdout=out)
    return out.getvalue()


def relay(spine: Spine) -> None:
    with relaying(spine) as rounds:
        rounds.until_idle()


def state(spine: Spine, letter: int) -> tuple[Any, ...]:
    return spine.rows("SELECT state, resolved_by, note FROM streams_deadletter WHERE id = %s", letter)[0]
