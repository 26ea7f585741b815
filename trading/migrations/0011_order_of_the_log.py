from django.db import migrations, models


class Migration(migrations.Migration):
    """Until now the producers' clocks decided. Nobody knows where what is there stood in its log: it is older than anything."""

    dependencies = [("trading", "0010_offer_retention")]

    operations = [
        migrations.AddField("sportevent", "seen_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("sportevent", "seen_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL("UPDATE trading_sportevent SET seen_logged_at = CASE WHEN seen_at IS NOT NULL THEN timestamptz 'epoch' END, seen_offset = CASE WHEN seen_at IS NOT NULL THEN -1 END", migrations.RunSQL.noop),
        migrations.AlterField("sportevent", "seen_logged_at", models.DateTimeField()),
        migrations.AlterField("sportevent", "seen_offset", models.BigIntegerField()),
        migrations.RemoveField("sportevent", "seen_event"),
        migrations.AddField("market", "version_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("market", "version_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL("UPDATE trading_market SET version_logged_at = CASE WHEN version_at IS NOT NULL THEN timestamptz 'epoch' END, version_offset = CASE WHEN version_at IS NOT NULL THEN -1 END", migrations.RunSQL.noop),
        migrations.AlterField("market", "version_logged_at", models.DateTimeField()),
        migrations.AlterField("market", "version_offset", models.BigIntegerField()),
        migrations.RemoveField("market", "version_event"),
        migrations.AddField("outcome", "version_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("outcome", "version_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL("UPDATE trading_outcome SET version_logged_at = CASE WHEN version_at IS NOT NULL THEN timestamptz 'epoch' END, version_offset = CASE WHEN version_at IS NOT NULL THEN -1 END", migrations.RunSQL.noop),
        migrations.AlterField("outcome", "version_logged_at", models.DateTimeField()),
        migrations.AlterField("outcome", "version_offset", models.BigIntegerField()),
        migrations.RemoveField("outcome", "version_event"),
        migrations.AddField("offer", "version_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("offer", "version_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL("UPDATE trading_offer SET version_logged_at = CASE WHEN version_at IS NOT NULL THEN timestamptz 'epoch' END, version_offset = CASE WHEN version_at IS NOT NULL THEN -1 END", migrations.RunSQL.noop),
        migrations.AlterField("offer", "version_logged_at", models.DateTimeField()),
        migrations.AlterField("offer", "version_offset", models.BigIntegerField()),
        migrations.RemoveField("offer", "version_event"),
        migrations.AddField("price", "version_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("price", "version_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL("UPDATE trading_price SET version_logged_at = CASE WHEN version_at IS NOT NULL THEN timestamptz 'epoch' END, version_offset = CASE WHEN version_at IS NOT NULL THEN -1 END", migrations.RunSQL.noop),
        migrations.AlterField("price", "version_logged_at", models.DateTimeField()),
        migrations.AlterField("price", "version_offset", models.BigIntegerField()),
        migrations.RemoveField("price", "version_event"),
    ]
