from django.db import migrations, models

import backoffice.streams.tables.sources

# Until now each record of a topic had one stream, so that the record tells which one it was.
FORWARD = """
ALTER TABLE streams_event ADD COLUMN stream text, ADD COLUMN digest bigint;
UPDATE streams_event SET stream = CASE WHEN record = 'ComplianceAlert' THEN 'compliance' ELSE 'players' END;
ALTER TABLE streams_event ALTER COLUMN stream SET NOT NULL,
    DROP CONSTRAINT streams_event_pkey, ADD PRIMARY KEY (stream, event_id);
"""


class Migration(migrations.Migration):
    dependencies = [("streams", "0003_facts_of_health")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD)],
            state_operations=[
                migrations.DeleteModel("Event"),
                migrations.CreateModel(
                    "Event",
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
                    options={"indexes": [backoffice.streams.tables.sources.by_source("events_by_source")]},
                ),
            ],
        ),
    ]
