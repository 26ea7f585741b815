"""What others do to get the same bets, legs and settlements from the same topic into the same tables.

`python -m bench.peers KIND TOPIC TOTAL NUMBER COUNT`: KIND is `bulk_create` (Django's ORM) or `write_row` (psycopg's
COPY, a row at a time); both decode with fastavro. They write no windows and no activity, keep no offsets beside the
rows, check no rules and recognise no repeat, so they do less than a stream does.
"""

import os
import sys
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

import django
import fastavro
import psycopg
from confluent_kafka import OFFSET_END, Consumer, Message, TopicPartition

from bench.crew import DONE, READY, say

if TYPE_CHECKING:
    from backoffice.contracts.registry import Registry

BATCH = 5_000
BET = ("id", "event_id", "player_id", "brand", "jurisdiction", "currency", "stake", "potential_payout", "kind",
       "system_size", "channel", "is_in_play", "is_free_bet", "bonus_id", "occurred_at", "source_partition",
       "source_offset")  # fmt: skip
LEG = ("bet_id", "leg_no", "sport", "sport_event_id", "market_id", "outcome_id", "odds", "is_in_play")
SETTLEMENT = ("event_id", "bet_id", "record", "settlement_no", "player_id", "brand", "jurisdiction", "currency",
              "stake", "payout", "previous_payout", "reason", "legs", "results", "void_factors", "dead_heat_factors",
              "occurred_at", "source_partition", "source_offset")  # fmt: skip
BET_TYPES = ("uuid", "uuid", "uuid", "text", "text", "text", "int8", "int8", "text", "int4", "text", "bool", "bool",
             "uuid", "timestamptz", "int2", "int8")  # fmt: skip
LEG_TYPES = ("uuid", "int4", "text", "text", "text", "text", "int8", "bool")
SETTLEMENT_TYPES = ("uuid", "uuid", "text", "int4", "uuid", "text", "text", "text", "int8", "int8", "int8", "text",
                    "int8[]", "text[]", "int8[]", "int8[]", "timestamptz", "int2", "int8")  # fmt: skip

Row = tuple[Any, ...]


class Batch(NamedTuple):
    bets: list[Row]
    legs: list[Row]
    settlements: list[Row]


class Decoder:
    """Messages to rows, one at a time."""

    def __init__(self, registry: "Registry") -> None:
        self._registry = registry
        self._schemas: dict[int, tuple[str, Any]] = {}

    def rows(self, messages: Iterable[Message]) -> Batch:
        batch = Batch([], [], [])
        for message in messages:
            value = message.value() or b""
            record, schema = self._schema(int.from_bytes(value[1:5], "big"))
            event = cast("dict[str, Any]", fastavro.schemaless_reader(BytesIO(value[5:]), schema, None))
            origin = (message.partition() or 0, message.offset() or 0)
            if record == "BetPlaced":
                batch.bets.append(_bet(event, origin))
                batch.legs.extend(_legs(event))
            else:
                batch.settlements.append(_settlement(event, record, origin))
        return batch

    def _schema(self, number: int) -> tuple[str, Any]:
        if number not in self._schemas:
            writer = self._registry.writer(number)
            self._schemas[number] = writer.record, fastavro.parse_schema(writer.schema)
        return self._schemas[number]


def _bet(event: dict[str, Any], origin: tuple[int, int]) -> Row:
    bonus = event["bonus_id"]
    return (
        UUID(event["bet_id"]), UUID(event["event_id"]), UUID(event["player_id"]), event["brand"], event["jurisdiction"],
        event["currency"], event["stake"], event["potential_payout"], event["kind"], event["system_size"],
        event["channel"], event["is_in_play"], event["is_free_bet"], UUID(bonus) if bonus else None,
        event["occurred_at"], *origin,
    )  # fmt: skip


def _legs(event: dict[str, Any]) -> list[Row]:
    bet = UUID(event["bet_id"])
    return [(bet, *(leg[name] for name in LEG[1:])) for leg in event["legs"]]


def _settlement(event: dict[str, Any], record: str, origin: tuple[int, int]) -> Row:
    legs = event.get("legs")
    arrays = [
        [leg[name] for leg in legs] if legs is not None else None
        for name in ("leg_no", "result", "void_factor", "dead_heat_factor")
    ]
    payout = event["refund"] if record == "BetVoided" else event["payout"]
    return (
        UUID(event["event_id"]), UUID(event["bet_id"]), record, event["settlement_no"], UUID(event["player_id"]),
        event["brand"], event["jurisdiction"], event["currency"], event["stake"], payout,
        event.get("previous_payout", 0), event.get("reason"), *arrays, event["occurred_at"], *origin,
    )  # fmt: skip


def bulk_create(batch: Batch) -> None:
    from django.db import transaction

    from trading.models import Bet, Leg, Settlement

    with transaction.atomic():
        Bet.objects.bulk_create([Bet(**dict(zip(BET, row, strict=True))) for row in batch.bets])
        Leg.objects.bulk_create([Leg(**dict(zip(LEG, row, strict=True))) for row in batch.legs])
        Settlement.objects.bulk_create(
            [Settlement(**dict(zip(SETTLEMENT, row, strict=True))) for row in batch.settlements]
        )


def write_row() -> Callable[[Batch], None]:
    connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)

    def write(batch: Batch) -> None:
        with connection.transaction():
            _copy(connection, "trading_bet", BET, BET_TYPES, batch.bets)
            _copy(connection, "trading_leg", LEG, LEG_TYPES, batch.legs)
            _copy(connection, "trading_settlement", SETTLEMENT, SETTLEMENT_TYPES, batch.settlements)

    return write


def _copy(connection: Any, table: str, names: tuple[str, ...], types: tuple[str, ...], rows: list[Row]) -> None:
    with connection.cursor().copy(f"COPY {table} ({', '.join(names)}) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def consumer(topic: str, number: int, count: int) -> Consumer:
    """At the end of its share of the partitions."""
    from django.conf import settings

    from backoffice.streams.kafka.clients import CONSUMER
    from bench.stand import PARTITIONS

    reading = Consumer(CONSUMER | settings.KAFKA | {"group.id": f"{topic}-{number}", "auto.offset.reset": "latest"})
    reading.assign([TopicPartition(topic, partition, OFFSET_END) for partition in range(number, PARTITIONS, count)])
    reading.consume(1, 2.0)
    return reading


def main(kind: str, topic: str, number: str, count: str) -> None:
    django.setup()
    from django.conf import settings

    from backoffice.contracts.registry import Registry

    decoder = Decoder(Registry(settings.SCHEMA_REGISTRY_URL))
    store = bulk_create if kind == "bulk_create" else write_row()
    reading = consumer(topic, int(number), int(count))
    say(READY)
    for line in sys.stdin:
        wanted = int(line)
        while wanted:
            messages = [message for message in reading.consume(min(BATCH, wanted), 0.05) if not message.error()]
            store(decoder.rows(messages))
            wanted -= len(messages)
        say(DONE)


if __name__ == "__main__":
    main(*sys.argv[1:])
