from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0016_unsent_alerts")]

    operations = [
        migrations.AddField("Gap", "stored_until", models.BigIntegerField(null=True)),
        # How far the stream was when these logs were cut off was not written down.
        migrations.RunSQL(
            """UPDATE streams_gap SET stored_until = 9223372036854775807 WHERE start = "end" """,
            migrations.RunSQL.noop,
        ),
    ]
