from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0020_alerts_that_end")]

    operations = [
        migrations.AddField("Reading", "partitions", models.SmallIntegerField(null=True)),
        migrations.AddField("Reading", "alert_id", models.UUIDField(null=True)),
    ]
