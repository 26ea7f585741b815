"""Partitions that somebody adds to a topic: of a compacted one that is told, once, with the way on."""

from functools import partial

import pytest

from backoffice.contracts.codec import Decoder
from backoffice.contracts.definitions import schema
from backoffice.kernel.clock import SystemClock
from backoffice.streams.consume.growing import forget_partitions
from backoffice.streams.models import Offset, Outgoing, Reading
from tests.spine import Spine, until


def is_stored(topic: str, partition: int, following: int) -> bool:
    return Offset.objects.filter(topic=topic, partition=partition, next=following).exists()


def told() -> list[tuple[str, str]]:
    rows = Outgoing.objects.filter(record="ComplianceAlert").order_by("id").values_list("value", flat=True)
    alerts = [Decoder(schema("ComplianceAlert"))(bytes(value or b"")) for value in rows]
    return [(str(alert["status"]), str(alert["summary"])) for alert in alerts if alert["kind"] == "partitions_added"]


@pytest.mark.parametrize(("topic", "alerts"), [("market-prices", 1), ("bet-events", 0)])
def test_partitions_of_a_compacted_topic_are_told_once(spine: Spine, topic: str, alerts: int) -> None:
    spine.send_bytes(topic, [b"junk"])
    spine.drain("trading")
    assert told() == []
    before = Reading.objects.get(stream="trading", topic="market-prices").partitions
    spine.add_partitions(topic, 12)

    for number in (1, 2):
        spine.send_bytes(topic, [b"junk"], partition=11)
        with spine.streaming("trading"):
            until(partial(is_stored, topic, 11, number), "the new partition is stored")

    assert len(told()) == alerts
    for status, summary in told():
        assert status == "opened"
        assert f"market-prices has 12 partitions, and had {before}" in summary
        assert "`streams adopt trading market-prices --reason …`" in summary
    forget_partitions("trading", topic, SystemClock().now())
    assert [status for status, _ in told()] == ["opened", "closed"][: 2 * alerts]
