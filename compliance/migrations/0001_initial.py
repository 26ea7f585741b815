from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('player_id', models.UUIDField(null=True)),
                ('brand', models.TextField()),
                ('jurisdiction', models.TextField()),
                ('kind', models.TextField()),
                ('severity', models.TextField()),
                ('queue', models.TextField()),
                ('status', models.TextField()),
                ('rule', models.TextField()),
                ('rule_version', models.IntegerField()),
                ('summary', models.TextField()),
                ('evidence', models.TextField()),
                ('status_at', models.DateTimeField()),
                ('status_event', models.UUIDField()),
            ],
            options={
                'indexes': [models.Index(fields=['queue', 'status', 'status_at'], name='alerts_of_queue')],
            },
        ),
        migrations.CreateModel(
            name='OperatorAct',
            fields=[
                ('event_id', models.UUIDField(primary_key=True, serialize=False)),
                ('action_id', models.UUIDField()),
                ('player_id', models.UUIDField(null=True)),
                ('brand', models.TextField()),
                ('jurisdiction', models.TextField()),
                ('actor', models.TextField()),
                ('role', models.TextField()),
                ('action', models.TextField()),
                ('subject_kind', models.TextField()),
                ('subject_id', models.TextField()),
                ('reason', models.TextField()),
                ('details', models.TextField()),
                ('occurred_at', models.DateTimeField()),
                ('source_partition', models.SmallIntegerField()),
                ('source_offset', models.BigIntegerField()),
            ],
            options={
                'indexes': [models.Index(fields=['subject_id', 'occurred_at'], name='acts_on_subject')],
            },
        ),
    ]
