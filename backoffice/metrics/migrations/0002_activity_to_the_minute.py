from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("metrics", "0001_initial")]

    operations = [
        migrations.RemoveIndex("Activity", "recent_activity"),
        migrations.RenameField("Activity", "seen_at", "minute"),
        migrations.AddIndex(
            "Activity", models.Index(fields=["minute", "jurisdiction", "player_id"], name="recent_activity")
        ),
        migrations.RunSQL(
            "UPDATE metrics_activity SET minute = date_trunc('minute', minute)", migrations.RunSQL.noop
        ),
    ]
