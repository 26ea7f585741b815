from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0002_facts_by_source")]

    operations = [
        migrations.AddField("Offset", "newest_at", models.DateTimeField(null=True)),
        migrations.RemoveIndex("DeadLetter", "open_dead_letters"),
        migrations.AddIndex(
            "DeadLetter",
            models.Index(
                fields=["id"], include=["stream", "topic"], condition=models.Q(state="open"), name="open_dead_letters"
            ),
        ),
    ]
