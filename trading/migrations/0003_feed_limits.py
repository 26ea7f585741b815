from datetime import UTC, datetime, timedelta

from django.db import migrations, models

# Chosen by hand: a market in play is repriced several times a minute, one before its start every few minutes.
FIRST = {
    "provider": "",
    "valid_from": datetime(2020, 1, 1, tzinfo=UTC),
    "any_market": timedelta(minutes=1),
    "in_play": timedelta(minutes=2),
    "before_start": timedelta(minutes=15),
    "soon": timedelta(hours=1),
    "given_up_after": timedelta(hours=12),
}


def first_limits(apps, _):
    apps.get_model("trading", "FeedLimit").objects.create(**FIRST)


class Migration(migrations.Migration):
    dependencies = [("trading", "0002_facts_by_source")]

    operations = [
        migrations.CreateModel(
            name="FeedLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.TextField(blank=True)),
                ("valid_from", models.DateTimeField()),
                ("any_market", models.DurationField()),
                ("in_play", models.DurationField()),
                ("before_start", models.DurationField()),
                ("soon", models.DurationField()),
                ("given_up_after", models.DurationField()),
            ],
        ),
        migrations.AddConstraint(
            "FeedLimit",
            models.UniqueConstraint(fields=["provider", "valid_from"], name="one_feed_limit_at_a_time"),
        ),
        migrations.AddIndex(
            "Market",
            models.Index(
                fields=["sport_event_id"],
                condition=models.Q(status__in=["open", "suspended"]),
                name="live_markets",
            ),
        ),
        migrations.RunPython(first_limits, migrations.RunPython.noop),
    ]
