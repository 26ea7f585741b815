from django.db import migrations

# The books know an activity's version by its minute alone until now; what was checked is checked anew.
FORGET = "DELETE FROM reconcile_checked; DELETE FROM reconcile_statetally; DELETE FROM reconcile_fullchecked"


class Migration(migrations.Migration):

    dependencies = [("reconcile", "0007_findings_that_end")]

    operations = [migrations.RunSQL(FORGET, migrations.RunSQL.noop)]
