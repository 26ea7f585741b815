from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("trading", "0017_feed_runs")]

    operations = [
        migrations.AddField("FeedRun", "began_appended_at", models.DateTimeField(null=True)),
        migrations.AddField("FeedRun", "began_taken_at", models.DateTimeField(null=True)),
        migrations.AddField("Market", "version_appended_at", models.DateTimeField(null=True)),
    ]
