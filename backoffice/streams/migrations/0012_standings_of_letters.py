from django.db import migrations, models


class Migration(migrations.Migration):
    """What is there stands at its own place; nobody has kept where it stood before it was sent again."""

    dependencies = [("streams", "0011_followed_gaps")]

    operations = [
        migrations.AddField("DeadLetter", "standing_logged", models.BigIntegerField(default=0, db_default=0)),
        migrations.AddField("DeadLetter", "standing_offset", models.BigIntegerField(null=True)),
        migrations.RunSQL(
            'UPDATE streams_deadletter SET standing_logged = logged, standing_offset = "offset"',
            migrations.RunSQL.noop,
        ),
        migrations.AlterField("DeadLetter", "standing_offset", models.BigIntegerField()),
    ]
