"""What Kafka says of a consumer group."""

from confluent_kafka.admin import AdminClient
from django.conf import settings

from tests.spine import Spine


def assignments(spine: Spine, stream: str, topic: str) -> dict[str, set[int]]:
    """The partitions of each member of the lane's group."""
    group = f"{spine.prefix}{stream}.{topic}"
    # Held until the answer is there: a client that is let go takes its questions with it.
    admin = AdminClient({**settings.KAFKA})
    told = admin.describe_consumer_groups([group])[group].result(10)
    return {
        member.member_id: {place.partition for place in member.assignment.topic_partitions} for member in told.members
    }
