from django.db import migrations

from backoffice.streams.tables.operations import Repartition


class Migration(migrations.Migration):
    """By hash of their keys, whatever ids the platform has; what was there is copied."""

    dependencies = [("players", "0003_sessions_without_a_start")]

    operations = [
        Repartition("Login", by="event_id"),
        Repartition("Session", by="id"),
    ]
