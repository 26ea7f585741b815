"""Messages that a stream must not take in, one kind for each way of being bad; apart from that they are right."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.kernel.clock import at_microseconds, microseconds
from backoffice.kernel.ids import uuid7
from backoffice.simulator.events.bets import bet_placed
from backoffice.simulator.events.envelope import Event, Head
from backoffice.simulator.events.players import player_contacted
from backoffice.simulator.events.wallet import deposit_completed

LARGEST_LONG = 2**63 - 1
_UNKNOWN_IDS = range(2_000_000_000, 2_100_000_000)
_MARK = b"~~~~"
_NOT_UTF8 = b"\xc3\x28\xff\xfe"
_NO_CURRENCY = "QQQ"
_NO_IDS = ("", "4711", "0193a5c2-7b1e-7000-8000-00000000000g", "{0193a5c2-7b1e-7000-8000-000000000001}")
_USUAL_TIME = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Garbage:
    """A bad message, ready to be sent; its topic is without the cluster's prefix."""

    kind: str
    topic: str
    key: str
    value: bytes


def bad_message(
    kind: str,
    rng: random.Random,
    registry_ids: Mapping[str, int],
    *,
    key: str | None = None,
    at: datetime = _USUAL_TIME,
) -> Garbage:
    """A message of one of the ``KINDS``, about the player ``key`` or one that nobody knows.

    ``registry_ids`` are the schema ids by record; ``at`` is when it pretends to have happened, where that is not what
    is wrong with it.

    Raises:
        KeyError: there is no such kind.
    """
    maker = _MAKERS[kind]
    player_id = key or str(uuid7(rng, at))
    topic, value = maker(_Material(rng, registry_ids, player_id, at))
    return Garbage(kind, topic, player_id, value)


def mixed(
    events: Iterable[Event], share: float, seed: int, registry_ids: Mapping[str, int]
) -> Iterator[Event | Garbage]:
    """The events with bad messages among them, so that these are ``share`` of all.

    The kinds take turns in an order of their own for each seed; a bad message has the key of the player before it.
    """
    if not 0 <= share < 1:
        raise ValueError(f"a share of {share}; it is at least 0 and below 1")
    rng = random.Random(f"garbage {seed}")
    kinds = cycle(rng.sample(KINDS, len(KINDS)))
    key: str | None = None
    for event in events:
        while rng.random() < share:
            yield bad_message(next(kinds), rng, registry_ids, key=key, at=at_microseconds(event.body["occurred_at"]))
        yield event
        if event.body.get("player_id") == event.key:
            key = event.key


@dataclass(frozen=True, slots=True)
class _Material:
    """What a bad message is made of: good events of one player."""

    rng: random.Random
    registry_ids: Mapping[str, int]
    player_id: str
    at: datetime

    def new_id(self) -> str:
        return str(uuid7(self.rng, self.at))

    def head(self) -> Head:
        return {
            "event_id": self.new_id(),
            "occurred_at": microseconds(self.at),
            "brand": "harbourplay",
            "jurisdiction": "MT",
        }

    def deposit(self) -> Event:
        return deposit_completed(
            self.head(),
            player_id=self.player_id,
            currency="EUR",
            amount=self.rng.randrange(100, 10_000),
            payment_id=self.new_id(),
            method="card",
            provider="clearpay",
            instrument_id="card-00000000aa",
        )

    def contact(self) -> Event:
        return player_contacted(
            self.head(),
            player_id=self.player_id,
            contact_id=self.new_id(),
            channel="email",
            direction="in",
            topic="payment",
            trigger="player request",
            staff="staff-01",
            outcome="answered",
        )

    def bet(self) -> Event:
        return bet_placed(
            self.head(),
            bet_id=self.new_id(),
            player_id=self.player_id,
            currency="EUR",
            stake=500,
            kind="single",
            system_size=0,
            channel="web",
            is_in_play=False,
            is_free_bet=False,
            potential_payout=1_000,
            legs=[
                {
                    "leg_no": 1,
                    "sport": "tennis",
                    "sport_event_id": "event-000000000001",
                    "market_id": "event-000000000001-1",
                    "outcome_id": "event-000000000001-1-1",
                    "odds": 2_000,
                    "is_in_play": False,
                }
            ],
        )

    def sent(self, event: Event) -> tuple[str, bytes]:
        """Topic and value of the event, as they should be."""
        return topic_of(event.record), frame(self.registry_ids[event.record], encode(event.record, event.body))

    def with_fault(self, event: Event, **fault: object) -> tuple[str, bytes]:
        return self.sent(Event(event.record, event.key, event.body | fault))


_Message = tuple[str, bytes]


def _unknown_schema_id(material: _Material) -> _Message:
    event = material.deposit()
    schema_id = material.rng.choice(_UNKNOWN_IDS)
    return topic_of(event.record), frame(schema_id, encode(event.record, event.body))


def _not_framed(material: _Material) -> _Message:
    return topic_of("DepositCompleted"), b'{"player_id":"' + material.player_id.encode() + b'","amount":500}'


def _empty_value(_material: _Material) -> _Message:
    return topic_of("DepositCompleted"), b""


def _truncated(material: _Material) -> _Message:
    """Cut where a field has yet to come, so that no decoder can take what is left for a whole text."""
    topic, value = material.sent(material.bet())
    return topic, value[: material.rng.randrange(10, len(value) // 2)]


def _invalid_utf8(material: _Material) -> _Message:
    topic, value = material.with_fault(material.contact(), outcome=_MARK.decode())
    return topic, value.replace(_MARK, _NOT_UTF8)


def _nul_in_text(material: _Material) -> _Message:
    return material.with_fault(material.contact(), outcome="ans\0wered")


def _wrong_topic(material: _Material) -> _Message:
    return topic_of("BetPlaced"), material.sent(material.deposit())[1]


def _negative_stake(material: _Material) -> _Message:
    return material.with_fault(material.bet(), stake=-material.rng.randrange(1, 10_000))


def _unknown_currency(material: _Material) -> _Message:
    return material.with_fault(material.deposit(), currency=_NO_CURRENCY)


def _amount_beyond_limit(material: _Material) -> _Message:
    """Two such amounts do not fit into 64 bits together."""
    return material.with_fault(material.deposit(), amount=LARGEST_LONG - material.rng.randrange(1_000))


def _occurred_in_1900(material: _Material) -> _Message:
    return material.with_fault(material.contact(), occurred_at=microseconds(datetime(1900, 1, 1, tzinfo=UTC)))


def _occurred_in_2200(material: _Material) -> _Message:
    return material.with_fault(material.contact(), occurred_at=microseconds(datetime(2200, 1, 1, tzinfo=UTC)))


def _id_is_no_uuid(material: _Material) -> _Message:
    return material.with_fault(material.deposit(), payment_id=material.rng.choice(_NO_IDS))


_MAKERS: dict[str, Callable[[_Material], _Message]] = {
    "unknown_schema_id": _unknown_schema_id,
    "not_framed": _not_framed,
    "empty_value": _empty_value,
    "truncated": _truncated,
    "invalid_utf8": _invalid_utf8,
    "nul_in_text": _nul_in_text,
    "wrong_topic": _wrong_topic,
    "negative_stake": _negative_stake,
    "unknown_currency": _unknown_currency,
    "amount_beyond_limit": _amount_beyond_limit,
    "occurred_in_1900": _occurred_in_1900,
    "occurred_in_2200": _occurred_in_2200,
    "id_is_no_uuid": _id_is_no_uuid,
}
KINDS: tuple[str, ...] = tuple(_MAKERS)
