from django.db import migrations, models

from backoffice.streams.tables.operations import CreatePartitioned


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        CreatePartitioned(
            by='minute',
            name='Window',
            fields=[
                ('pk', models.CompositePrimaryKey('metric', 'minute', 'key', 'currency', 'topic', 'partition', blank=True, editable=False, primary_key=True, serialize=False)),
                ('metric', models.TextField()),
                ('minute', models.DateTimeField()),
                ('key', models.TextField()),
                ('currency', models.TextField()),
                ('topic', models.TextField()),
                ('partition', models.SmallIntegerField()),
                ('count', models.BigIntegerField()),
                ('amount', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Activity',
            fields=[
                ('pk', models.CompositePrimaryKey('player_id', 'topic', blank=True, editable=False, primary_key=True, serialize=False)),
                ('player_id', models.UUIDField()),
                ('topic', models.TextField()),
                ('brand', models.TextField()),
                ('jurisdiction', models.TextField()),
                ('seen_at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['seen_at', 'jurisdiction', 'player_id'], name='recent_activity')],
            },
        ),
    ]
