from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0017_cut_off_logs")]

    operations = [
        migrations.AddField(
            model_name="outgoing",
            name="holds_topic",
            field=models.BooleanField(db_default=False),
        ),
        migrations.AddIndex(
            model_name="outgoing",
            index=models.Index(
                fields=["topic"], condition=models.Q(("holds_topic", True)), name="outgoing_holds_topic"
            ),
        ),
    ]
