from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0002_facts_by_source")]

    operations = [
        migrations.AddField("Offset", "newest_at", models.DateTimeField(null=True)),
    ]
