from django.db import migrations, models
from django.db.models import F


def as_they_were_told(apps, _):
    """Until now the alert had the id of its finding."""
    apps.get_model("reconcile", "Finding").objects.update(alert_id=F("id"))


class Migration(migrations.Migration):
    dependencies = [("reconcile", "0006_generations")]

    operations = [
        migrations.AddField("Finding", "alert_id", models.UUIDField(null=True)),
        migrations.RunPython(as_they_were_told, migrations.RunPython.noop),
        migrations.AlterField("Finding", "alert_id", models.UUIDField()),
        migrations.AddField("Finding", "ended_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "Finding",
            "rounds",
            models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddIndex(
            "Finding",
            models.Index(condition=models.Q(ended_at=None), fields=["first_seen_at"], name="open_findings"),
        ),
    ]
