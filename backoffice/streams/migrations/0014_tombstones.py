from datetime import UTC, datetime, timedelta

from django.db import migrations, models
from django.db.models.functions import Now

# Chosen by hand: nobody mends prices of a quarter ago. A day is what Kafka keeps tombstones for, unless told otherwise.
FIRST = {
    "valid_from": datetime(2020, 1, 1, tzinfo=UTC),
    "replayable_for": timedelta(days=90),
    "shown_for": timedelta(days=1),
}


def first_retention(apps, _):
    apps.get_model("streams", "TombstoneRetention").objects.create(**FIRST)


class Migration(migrations.Migration):
    dependencies = [("streams", "0013_clocked_jobs")]

    operations = [
        migrations.CreateModel(
            name="Tombstone",
            fields=[
                ("pk", models.CompositePrimaryKey("stream", "topic", "key", blank=True, editable=False, primary_key=True, serialize=False)),
                ("stream", models.TextField()),
                ("topic", models.TextField()),
                ("key", models.TextField()),
                ("logged_at", models.DateTimeField()),
                ("offset", models.BigIntegerField()),
                ("told_at", models.DateTimeField(db_default=Now())),
            ],
            options={"indexes": [models.Index(fields=["told_at"], name="tombstones_by_age")]},
        ),
        migrations.CreateModel(
            name="TombstoneRetention",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from", models.DateTimeField(unique=True)),
                ("replayable_for", models.DurationField()),
                ("shown_for", models.DurationField()),
            ],
            options={"db_table": "streams_tombstone_retention"},
        ),
        migrations.RunPython(first_retention, migrations.RunPython.noop),
    ]
