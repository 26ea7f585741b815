"""A producer that is a version ahead: its messages and the old ones are stored from one batch."""

import copy

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from django.conf import settings

from backoffice.contracts.codec import encode, encode_as, frame
from backoffice.contracts.definitions import canonical, schema
from tests.faults.checks import nothing_lost_or_doubled
from tests.faults.load import some_events
from tests.spine import Spine


def test_a_new_version_of_a_contract_goes_with_the_old_one_in_a_batch(spine: Spine) -> None:
    newer = copy.deepcopy(schema("BetPlaced"))
    newer["fields"].append(
        {
            "name": "boosted_by",
            "type": ["null", "long"],
            "default": None,
            "classification": "operational",
            "purpose": "contract",
            "retention": "10y",
        }
    )
    old_id = spine.registry.register("BetPlaced")
    client = SchemaRegistryClient({"url": settings.SCHEMA_REGISTRY_URL})
    new_id = client.register_schema(spine.registry.subject("BetPlaced"), Schema(canonical(newer), "AVRO"))
    bets = [event for event in some_events(seed=22, count=4_000) if event.record == "BetPlaced"]
    assert len(bets) > 50
    assert new_id != old_id

    values = [
        frame(new_id, encode_as(newer, event.body | {"boosted_by": 7}))
        if number % 2
        else frame(old_id, encode("BetPlaced", event.body))
        for number, event in enumerate(bets)
    ]
    spine.send_bytes("bet-events", values, partition=0)
    spine.drain("trading")

    nothing_lost_or_doubled(spine, bets)
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 0
