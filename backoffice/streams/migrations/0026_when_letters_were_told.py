from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("streams", "0025_jobs_that_began")]

    operations = [
        # Of those of before nobody knows when they were told: their log may have come further by a clock that was ahead.
        migrations.AddField("DeadLetter", "standing_appended", models.BigIntegerField(default=0, db_default=0)),
    ]
