from django.db import migrations, models
from django.db.models.fields.json import KT

# Their messages were discarded in the outbox, and nothing has become of them.
_REOPEN = """
UPDATE streams_deadletter SET state = 'open', resolved_at = NULL, resolved_by = ''
WHERE state = 'replayed' AND id IN (
    SELECT (headers ->> 'replay_of')::bigint FROM streams_outbox WHERE headers ? 'replay_of'
    GROUP BY 1 HAVING bool_and(discarded_at IS NOT NULL)
)
"""


class Migration(migrations.Migration):
    dependencies = [("streams", "0018_held_topics")]

    operations = [
        migrations.AddIndex(
            "Outgoing",
            models.Index(
                KT("headers__replay_of"),
                condition=models.Q(headers__has_key="replay_of"),
                name="outgoing_replays",
            ),
        ),
        migrations.RunSQL(_REOPEN, migrations.RunSQL.noop),
    ]
