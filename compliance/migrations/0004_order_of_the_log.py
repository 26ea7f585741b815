from django.db import migrations, models


class Migration(migrations.Migration):
    """Until now the producers' clocks decided. Nobody knows where what is there stood in its log: it is older than anything."""

    dependencies = [("compliance", "0003_digests_of_facts")]

    operations = [
        migrations.AddField("alert", "status_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("alert", "status_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL("UPDATE compliance_alert SET status_logged_at = CASE WHEN status_at IS NOT NULL THEN timestamptz 'epoch' END, status_offset = CASE WHEN status_at IS NOT NULL THEN -1 END", migrations.RunSQL.noop),
        migrations.AlterField("alert", "status_logged_at", models.DateTimeField()),
        migrations.AlterField("alert", "status_offset", models.BigIntegerField()),
        migrations.RemoveField("alert", "status_event"),
    ]
