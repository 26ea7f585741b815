from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconcile", "0014_walks_that_go_on"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="counts",
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.CreateModel(
            name="Rest",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "weight", "stream", "topic", "fault", "place",
                        blank=True, editable=False, primary_key=True, serialize=False,
                    ),
                ),
                ("weight", models.TextField()),
                ("stream", models.TextField()),
                ("topic", models.TextField()),
                ("fault", models.TextField()),
                ("place", models.TextField()),
                ("first", models.BigIntegerField(null=True)),
                ("last", models.BigIntegerField(null=True)),
                ("rounds", models.IntegerField(null=True)),
                ("number", models.BigIntegerField()),
                ("alert_id", models.UUIDField(null=True)),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
            ],
        ),
    ]
