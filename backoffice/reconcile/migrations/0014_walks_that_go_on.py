from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):

    dependencies = [
        ("reconcile", "0013_findings_that_agreed"),
    ]

    operations = [
        migrations.AddField(
            model_name=model,
            name="went_on_at",
            field=models.DateTimeField(db_default=Now()),
        )
        for model in ("walk", "fullwalk")
    ]
