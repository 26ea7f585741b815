from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reconcile", "0010_keys_column_by_column")]

    operations = [
        migrations.CreateModel(
            "HighWater",
            [
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "stream", "topic", "partition", "generation", "offset",
                        blank=True, editable=False, primary_key=True, serialize=False,
                    ),
                ),
                ("stream", models.TextField()),
                ("topic", models.TextField()),
                ("partition", models.SmallIntegerField()),
                ("generation", models.SmallIntegerField()),
                ("offset", models.BigIntegerField()),
                ("reached", models.BigIntegerField()),
            ],
        )
    ]
