import django.contrib.postgres.fields
from django.db import migrations, models

# Until now a key was one text, its columns joined by U+001F. Which state has two columns is told by its name; the first
# of an activity's is a player's id, which has no such letter. Of a market or outcome that has one nobody can tell where
# the first column ends: then all that was checked is checked anew.
SPLIT = r"""
    ALTER TABLE reconcile_statetally ADD COLUMN rest text[] NOT NULL DEFAULT '{}';
    DO $$ BEGIN
        IF EXISTS (SELECT FROM reconcile_statetally WHERE state ~ '^trading_(outcome|price)_'
            AND state NOT LIKE '% deleted' AND length(key) - length(replace(key, E'\x1f', '')) <> 1) THEN
            DELETE FROM reconcile_checked;
            DELETE FROM reconcile_statetally;
        END IF;
    END $$;
    UPDATE reconcile_statetally SET key = split_part(key, E'\x1f', 1), rest = ARRAY[split_part(key, E'\x1f', 2)]
        WHERE state ~ '^(trading_(outcome|price)|[a-z]+_activity)_' AND state NOT LIKE '% deleted';
    ALTER TABLE reconcile_statetally ALTER COLUMN rest DROP DEFAULT;
    ALTER TABLE reconcile_statetally DROP CONSTRAINT reconcile_statetally_pkey;
    ALTER TABLE reconcile_statetally ADD PRIMARY KEY (state, key, rest);
"""
# A run over everything can begin again.
BEGIN_AGAIN = """
    TRUNCATE reconcile_fullchecked, reconcile_fullwalk, reconcile_fullwindowtally, reconcile_fullbalancetally,
        reconcile_fullstatetally;
    DELETE FROM reconcile_run WHERE "full" AND finished_at IS NULL;
    ALTER TABLE reconcile_fullstatetally ADD COLUMN rest text[] NOT NULL;
    ALTER TABLE reconcile_fullstatetally DROP CONSTRAINT reconcile_fullstatetally_pkey;
    ALTER TABLE reconcile_fullstatetally ADD PRIMARY KEY (state, key, rest);
"""
JOIN = r"""
    ALTER TABLE reconcile_{0} DROP CONSTRAINT reconcile_{0}_pkey;
    UPDATE reconcile_{0} SET key = array_to_string(ARRAY[key] || rest, E'\x1f');
    ALTER TABLE reconcile_{0} DROP COLUMN rest;
    ALTER TABLE reconcile_{0} ADD PRIMARY KEY (state, key);
"""


def _as_they_are_now(name: str) -> list[migrations.operations.base.Operation]:
    """What Django knows of the table; a key of several columns cannot be altered."""
    key = models.CompositePrimaryKey("state", "key", "rest", blank=True, editable=False, primary_key=True, serialize=False)
    fields = [
        ("pk", key),
        ("state", models.TextField()),
        ("key", models.TextField(db_collation="C")),
        ("rest", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
        ("version", models.JSONField()),
    ]
    return [migrations.DeleteModel(name), migrations.CreateModel(name, fields)]


class Migration(migrations.Migration):

    dependencies = [("reconcile", "0009_cut_off_logs")]

    operations = [
        migrations.RunSQL(SPLIT, JOIN.format("statetally"), _as_they_are_now("StateTally")),
        migrations.RunSQL(BEGIN_AGAIN, JOIN.format("fullstatetally"), _as_they_are_now("FullStateTally")),
    ]
