from django.db import migrations, models

# The books know a row's version by its producer's clock until now; what was checked is checked anew.
FORGET = "DELETE FROM reconcile_checked; DELETE FROM reconcile_statetally; DELETE FROM reconcile_fullchecked"


class Migration(migrations.Migration):

    dependencies = [("reconcile", "0004_books_of_their_own")]

    operations = [
        migrations.RunSQL(FORGET, migrations.RunSQL.noop),
        migrations.AddField("checked", "logged", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddField("fullchecked", "logged", models.BigIntegerField(db_default=0, default=0)),
    ]
