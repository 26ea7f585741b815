import backoffice.streams.commit_order
from django.db import migrations, models

from backoffice.streams.commit_order import IN_ORDER_OF_COMMITS


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0008_stopping'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='outgoing',
            name='unsent',
        ),
        migrations.AddField(
            model_name='outgoing',
            name='alerted_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='outgoing',
            name='attempts',
            field=models.IntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name='outgoing',
            name='discard_reason',
            field=models.TextField(blank=True, db_default=''),
        ),
        migrations.AddField(
            model_name='outgoing',
            name='discarded_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='outgoing',
            name='discarded_by',
            field=models.TextField(blank=True, db_default=''),
        ),
        migrations.AddField(
            model_name='outgoing',
            name='held_since',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='outgoing',
            name='key_hash',
            field=models.GeneratedField(db_persist=True, expression=backoffice.streams.commit_order.KeyHash(), output_field=models.BigIntegerField()),
        ),
        migrations.AddField(
            model_name='outgoing',
            name='last_error',
            field=models.TextField(blank=True, db_default=''),
        ),
        migrations.AddField(
            model_name='outgoing',
            name='next_attempt_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='outgoing',
            name='position',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name='outgoing',
            index=models.Index(condition=models.Q(('position', None)), fields=['id'], name='outgoing_uncommitted'),
        ),
        migrations.AddIndex(
            model_name='outgoing',
            index=models.Index(condition=models.Q(('held_since', None), ('position__isnull', False), ('sent_at', None)), fields=['position', 'id'], name='outgoing_ready'),
        ),
        migrations.AddIndex(
            model_name='outgoing',
            index=models.Index(condition=models.Q(('discarded_at', None), ('held_since__isnull', False), ('sent_at', None)), fields=['key_hash', 'position', 'id'], name='outgoing_held'),
        ),
        migrations.AddIndex(
            model_name='outgoing',
            index=models.Index(condition=models.Q(('next_attempt_at__isnull', False)), fields=['next_attempt_at'], name='outgoing_due'),
        ),
        # What was written before stays in the order of its ids, and before all that comes.
        migrations.RunSQL("UPDATE streams_outbox SET position = 0", migrations.RunSQL.noop),
        migrations.RunSQL(
            IN_ORDER_OF_COMMITS,
            "DROP TRIGGER in_order_of_commits ON streams_outbox; DROP FUNCTION streams_outbox_in_order_of_commits;"
            " DROP SEQUENCE streams_outbox_position",
        ),
    ]
