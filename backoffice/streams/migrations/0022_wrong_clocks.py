from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0021_partitions_of_compacted")]

    operations = [
        migrations.CreateModel(
            "WrongClock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("host", models.TextField()),
                ("told", models.TextField()),
                ("alert_id", models.UUIDField()),
                ("noticed_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "streams_wrong_clock",
                "constraints": [
                    models.UniqueConstraint(
                        fields=["host"], condition=models.Q(ended_at=None), name="one_open_wrong_clock"
                    )
                ],
            },
        ),
    ]
