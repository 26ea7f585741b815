from django.db import migrations, models

from backoffice.streams.tables.operations import CreatePartitioned


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        CreatePartitioned(
            by='event_id',
            name='Event',
            fields=[
                ('event_id', models.UUIDField(primary_key=True, serialize=False)),
                ('record', models.TextField()),
                ('occurred_at', models.DateTimeField()),
                ('source_partition', models.SmallIntegerField()),
                ('source_offset', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Offset',
            fields=[
                ('pk', models.CompositePrimaryKey('stream', 'topic', 'partition', blank=True, editable=False, primary_key=True, serialize=False)),
                ('stream', models.TextField()),
                ('topic', models.TextField()),
                ('partition', models.SmallIntegerField()),
                ('next', models.BigIntegerField()),
                ('updated_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Repeat',
            fields=[
                ('pk', models.CompositePrimaryKey('stream', 'topic', 'partition', 'offset', blank=True, editable=False, primary_key=True, serialize=False)),
                ('stream', models.TextField()),
                ('topic', models.TextField()),
                ('partition', models.SmallIntegerField()),
                ('offset', models.BigIntegerField()),
                ('record', models.TextField()),
                ('seen_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='DeadLetter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stream', models.TextField()),
                ('topic', models.TextField()),
                ('partition', models.SmallIntegerField()),
                ('offset', models.BigIntegerField()),
                ('record', models.TextField(blank=True)),
                ('schema_id', models.BigIntegerField(null=True)),
                ('reason', models.TextField()),
                ('key', models.BinaryField(null=True)),
                ('value', models.BinaryField(null=True)),
                ('died_at', models.DateTimeField()),
                ('state', models.TextField(choices=[('open', 'Open'), ('replayed', 'Replayed'), ('discarded', 'Discarded')], default='open')),
                ('resolved_at', models.DateTimeField(null=True)),
                ('resolved_by', models.TextField(blank=True, db_default='')),
                ('note', models.TextField(blank=True, db_default='')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'open')), fields=['id'], name='open_dead_letters')],
                'constraints': [models.UniqueConstraint(fields=('stream', 'topic', 'partition', 'offset'), name='one_dead_letter')],
            },
        ),
        migrations.CreateModel(
            name='Halt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stream', models.TextField()),
                ('topic', models.TextField()),
                ('partition', models.SmallIntegerField()),
                ('offset', models.BigIntegerField()),
                ('reason', models.TextField()),
                ('halted_at', models.DateTimeField()),
                ('resumed_at', models.DateTimeField(null=True)),
                ('resumed_by', models.TextField(blank=True, default='')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('resumed_at', None)), fields=('stream', 'topic', 'partition'), name='one_open_halt')],
            },
        ),
        migrations.CreateModel(
            name='Outgoing',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('topic', models.TextField()),
                ('key', models.BinaryField(null=True)),
                ('value', models.BinaryField(null=True)),
                ('record', models.TextField(blank=True, db_default='')),
                ('schema_version', models.SmallIntegerField(null=True)),
                ('headers', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField()),
                ('sent_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'streams_outbox',
                'indexes': [models.Index(condition=models.Q(('sent_at', None)), fields=['id'], name='unsent')],
            },
        ),
    ]
