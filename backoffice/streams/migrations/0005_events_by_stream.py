from django.db import migrations, models

from backoffice.streams.tables.operations import Repartition


class Migration(migrations.Migration):
    """Until now each record had one stream, so that the record tells which one it was."""

    dependencies = [("streams", "0004_refuse_change")]

    operations = [
        Repartition(
            "Event",
            by="event_id",
            fields=[
                ("pk", models.CompositePrimaryKey("stream", "event_id", blank=True, editable=False, primary_key=True, serialize=False)),
                ("stream", models.TextField()),
                ("event_id", models.UUIDField()),
                ("record", models.TextField()),
                ("digest", models.BigIntegerField(null=True)),
                ("occurred_at", models.DateTimeField()),
                ("source_partition", models.SmallIntegerField()),
                ("source_offset", models.BigIntegerField()),
            ],
            fill={
                "stream": "CASE WHEN record = 'ComplianceAlert' THEN 'compliance' ELSE 'players' END",
                "digest": "NULL",
            },
        ),
    ]
