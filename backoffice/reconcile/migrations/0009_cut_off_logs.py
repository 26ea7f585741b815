from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reconcile", "0008_brands_of_activity"), ("streams", "0017_cut_off_logs")]

    operations = [
        migrations.AddField(model, "cuts", models.SmallIntegerField(db_default=0, default=0))
        for model in ("Checked", "FullChecked")
    ]
