from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconcile", "0015_findings_by_kind"),
    ]

    operations = [
        migrations.AddField(
            model_name="rest",
            name=name,
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        )
        for name in ("left", "apart")
    ]
