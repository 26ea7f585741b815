from django.db import migrations, models

# What was stored before stands where the log had come by then, which is when the broker took it but where a clock was
# ahead; `reconcile` names those, and a rebuild mends them. Where it lies ahead nobody knows when it was told.
APPENDED = """
    UPDATE trading_market SET version_appended_at = version_logged_at
    WHERE version_logged_at > '1970-01-01T00:00Z' AND version_logged_at <= clock_timestamp()
    AND version_taken_at IS NULL;
    UPDATE trading_feedrun SET began_appended_at = began_logged_at
    WHERE began_logged_at > '1970-01-01T00:00Z' AND began_logged_at <= clock_timestamp();
"""

# What a dead letter told that was sent again was dated as far as its log had come, which may be later than it was told.
# Its message does not say when that was, and so nobody knows it: for a rebuild, for `reconcile`, and here.
UNKNOWN = """
    UPDATE trading_{table} SET {when}_appended_at = NULL, {when}_taken_at = NULL FROM streams_deadletter d
    WHERE (d.stream, d.topic, d.state) = ('trading', 'odds-feed', 'replayed') AND {when}_offset = d.standing_offset
    AND {when}_logged_at = to_timestamp(d.standing_logged / 1000) + d.standing_logged % 1000 * interval '1 millisecond';
"""


class Migration(migrations.Migration):
    """Behind the migration that adds the columns: nobody who reads waits while rows are rewritten."""

    dependencies = [("streams", "0026_when_letters_were_told"), ("trading", "0018_when_told")]

    operations = [
        migrations.AddIndex(
            "Market", models.Index(condition=models.Q(("run__isnull", False)), fields=["run"], name="markets_by_run")
        ),
        migrations.RunSQL(APPENDED, migrations.RunSQL.noop),
        migrations.RunSQL(UNKNOWN.format(table="market", when="version"), migrations.RunSQL.noop),
        migrations.RunSQL(UNKNOWN.format(table="feedrun", when="began"), migrations.RunSQL.noop),
    ]
