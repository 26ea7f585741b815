from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0010_alerts_that_end")]

    operations = [
        migrations.AddField("Gap", "followed", models.BooleanField(default=True, db_default=True)),
    ]
