from django.db import migrations, models


class Migration(migrations.Migration):
    """Until now the producers' clocks decided. Nobody knows where what is there stood in its log: it is older than anything."""

    dependencies = [("players", "0006_reads")]

    operations = [
        migrations.AddField("player", "registered_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("player", "status_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("player", "verification_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("player", "registered_offset", models.BigIntegerField(null=True)),
        migrations.AddField("player", "status_offset", models.BigIntegerField(null=True)),
        migrations.AddField("player", "verification_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL("UPDATE players_player SET registered_logged_at = CASE WHEN registered_at IS NOT NULL THEN timestamptz 'epoch' END, status_logged_at = CASE WHEN status_at IS NOT NULL THEN timestamptz 'epoch' END, verification_logged_at = CASE WHEN verification_at IS NOT NULL THEN timestamptz 'epoch' END, registered_offset = CASE WHEN registered_at IS NOT NULL THEN -1 END, status_offset = CASE WHEN status_at IS NOT NULL THEN -1 END, verification_offset = CASE WHEN verification_at IS NOT NULL THEN -1 END", migrations.RunSQL.noop),
        migrations.RemoveField("player", "registered_event"),
        migrations.RemoveField("player", "status_event"),
        migrations.RemoveField("player", "verification_event"),
        migrations.AddField("session", "started_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("session", "ended_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("session", "started_offset", models.BigIntegerField(null=True)),
        migrations.AddField("session", "ended_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL("UPDATE players_session SET started_logged_at = CASE WHEN started_at IS NOT NULL THEN timestamptz 'epoch' END, ended_logged_at = CASE WHEN ended_at IS NOT NULL THEN timestamptz 'epoch' END, started_offset = CASE WHEN started_at IS NOT NULL THEN -1 END, ended_offset = CASE WHEN ended_at IS NOT NULL THEN -1 END", migrations.RunSQL.noop),
        migrations.RemoveField("session", "started_event"),
        migrations.RemoveField("session", "ended_event"),
        migrations.AddField("document", "status_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("document", "status_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL("UPDATE players_document SET status_logged_at = CASE WHEN status_at IS NOT NULL THEN timestamptz 'epoch' END, status_offset = CASE WHEN status_at IS NOT NULL THEN -1 END", migrations.RunSQL.noop),
        migrations.AlterField("document", "status_logged_at", models.DateTimeField()),
        migrations.AlterField("document", "status_offset", models.BigIntegerField()),
        migrations.RemoveField("document", "status_event"),
        migrations.AddField("bonus", "granted_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("bonus", "ended_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("bonus", "granted_offset", models.BigIntegerField(null=True)),
        migrations.AddField("bonus", "ended_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL("UPDATE players_bonus SET granted_logged_at = CASE WHEN granted_at IS NOT NULL THEN timestamptz 'epoch' END, ended_logged_at = CASE WHEN ended_at IS NOT NULL THEN timestamptz 'epoch' END, granted_offset = CASE WHEN granted_at IS NOT NULL THEN -1 END, ended_offset = CASE WHEN ended_at IS NOT NULL THEN -1 END", migrations.RunSQL.noop),
        migrations.RemoveField("bonus", "granted_event"),
        migrations.RemoveField("bonus", "ended_event"),
    ]
