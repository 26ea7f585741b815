from django.db import migrations, models


class Migration(migrations.Migration):
    """Until now the producers' clocks decided: what is there stands where its clock said, before all that follows."""

    dependencies = [("compliance", "0003_digests_of_facts")]

    operations = [
        migrations.AddField("alert", "status_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("alert", "status_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL("UPDATE compliance_alert SET status_logged_at = status_at, status_offset = CASE WHEN status_at IS NOT NULL THEN 0 END", migrations.RunSQL.noop),
        migrations.AlterField("alert", "status_logged_at", models.DateTimeField()),
        migrations.AlterField("alert", "status_offset", models.BigIntegerField()),
        migrations.RemoveField("alert", "status_event"),
    ]
