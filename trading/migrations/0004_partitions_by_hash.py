from django.db import migrations

from backoffice.streams.tables.operations import Repartition


class Migration(migrations.Migration):
    """By hash of their keys, whatever ids the platform has; what was there is copied."""

    dependencies = [("trading", "0003_feed_limits")]

    operations = [
        Repartition("Bet", by="id"),
        Repartition("Leg", by="bet_id"),
        Repartition("Settlement", by="event_id"),
    ]
