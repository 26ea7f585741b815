from datetime import UTC, datetime, timedelta

from django.db import migrations, models

# Chosen by hand: complaints about a price come within days, and what was bet on keeps its odds in the bet.
FIRST = {"valid_from": datetime(2020, 1, 1, tzinfo=UTC), "closed_for": timedelta(days=30)}


def first_retention(apps, _):
    apps.get_model("trading", "OfferRetention").objects.create(**FIRST)


class Migration(migrations.Migration):
    dependencies = [("trading", "0009_status_changes")]

    operations = [
        migrations.CreateModel(
            name="OfferRetention",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from", models.DateTimeField(unique=True)),
                ("closed_for", models.DurationField()),
            ],
        ),
        migrations.RunPython(first_retention, migrations.RunPython.noop),
    ]
