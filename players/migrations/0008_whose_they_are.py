from django.db import migrations, models


class Migration(migrations.Migration):
    """Nobody knows which event said last whose a row is: what is there is older than anything."""

    dependencies = [("players", "0007_order_of_the_log")]

    operations = [
        migrations.AlterField("player", "brand", models.TextField(null=True)),
        migrations.AlterField("player", "jurisdiction", models.TextField(null=True)),
        migrations.AddField("player", "whose_at", models.DateTimeField(null=True)),
        migrations.AddField("player", "whose_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("player", "whose_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL(
            "UPDATE players_player SET whose_at = greatest(registered_at, status_at, verification_at),"
            " whose_logged_at = timestamptz 'epoch', whose_offset = -1",
            migrations.RunSQL.noop,
        ),
        migrations.AlterField("session", "player_id", models.UUIDField(null=True)),
        migrations.AlterField("session", "brand", models.TextField(null=True)),
        migrations.AlterField("session", "jurisdiction", models.TextField(null=True)),
        migrations.AddField("session", "whose_at", models.DateTimeField(null=True)),
        migrations.AddField("session", "whose_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("session", "whose_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL(
            "UPDATE players_session SET whose_at = greatest(started_at, ended_at),"
            " whose_logged_at = timestamptz 'epoch', whose_offset = -1",
            migrations.RunSQL.noop,
        ),
        migrations.AlterField("bonus", "player_id", models.UUIDField(null=True, db_index=True)),
        migrations.AlterField("bonus", "brand", models.TextField(null=True)),
        migrations.AlterField("bonus", "jurisdiction", models.TextField(null=True)),
        migrations.AlterField("bonus", "currency", models.TextField(null=True)),
        migrations.AddField("bonus", "whose_at", models.DateTimeField(null=True)),
        migrations.AddField("bonus", "whose_logged_at", models.DateTimeField(null=True)),
        migrations.AddField("bonus", "whose_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL(
            "UPDATE players_bonus SET whose_at = greatest(granted_at, ended_at),"
            " whose_logged_at = timestamptz 'epoch', whose_offset = -1",
            migrations.RunSQL.noop,
        ),
    ]
