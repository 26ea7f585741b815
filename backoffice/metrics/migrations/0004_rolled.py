from datetime import UTC, datetime

from django.db import migrations, models

from backoffice.kernel.clock import SystemClock
from backoffice.streams.tables.partitions import ensure_partitions

NOTHING = datetime(1970, 1, 1, tzinfo=UTC)


class Migration(migrations.Migration):
    dependencies = [("metrics", "0003_revenue_by_hour_and_day")]

    operations = [
        migrations.CreateModel(
            name="Rolled",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("before", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="rolled_up_to_one_moment")
                ],
            },
        ),
        migrations.RunPython(
            lambda apps, _: apps.get_model("metrics", "Rolled").objects.create(before=NOTHING), migrations.RunPython.noop
        ),
        # The partition for what is older than all months.
        migrations.RunPython(lambda *_: ensure_partitions(SystemClock().now()), migrations.RunPython.noop),
    ]
