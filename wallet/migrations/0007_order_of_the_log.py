from django.db import migrations, models


class Migration(migrations.Migration):
    """Until now the producers' clocks decided. Nobody knows where what is there stood in its log: it is older than anything."""

    dependencies = [("wallet", "0006_reads")]

    operations = [
        migrations.AddField("payment", "status_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("payment", "status_offset", models.BigIntegerField(null=True)),
        migrations.AddField("payment", "status_rank", models.SmallIntegerField(null=True)),
        migrations.RunSQL("UPDATE wallet_payment SET status_logged_at = CASE WHEN status_at IS NOT NULL THEN timestamptz 'epoch' END, status_offset = CASE WHEN status_at IS NOT NULL THEN -1 END, status_rank = CASE WHEN status IN ('initiated', 'requested') THEN 0 WHEN status IN ('completed', 'paid') THEN 2 ELSE 1 END", migrations.RunSQL.noop),
        migrations.AlterField("payment", "status_logged_at", models.DateTimeField()),
        migrations.AlterField("payment", "status_offset", models.BigIntegerField()),
        migrations.AlterField("payment", "status_rank", models.SmallIntegerField()),
        migrations.RemoveField("payment", "status_event"),
    ]
