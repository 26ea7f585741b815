from django.db import migrations

from backoffice.streams.tables.operations import Repartition


class Migration(migrations.Migration):
    """By hash of their keys, whatever ids the platform has; what was there is copied."""

    dependencies = [("wallet", "0002_facts_by_source")]

    operations = [
        Repartition("Round", by="id"),
        Repartition("Transaction", by="event_id"),
        Repartition("Transfer", by="event_id"),
    ]
