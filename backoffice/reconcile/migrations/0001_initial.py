from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='BalanceTally',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'partition', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account_id', models.UUIDField()),
                ('partition', models.SmallIntegerField()),
                ('debits', models.BigIntegerField()),
                ('credits', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Checked',
            fields=[
                ('pk', models.CompositePrimaryKey('stream', 'topic', 'partition', blank=True, editable=False, primary_key=True, serialize=False)),
                ('stream', models.TextField()),
                ('topic', models.TextField()),
                ('partition', models.SmallIntegerField()),
                ('since', models.BigIntegerField()),
                ('next', models.BigIntegerField()),
                ('checked_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Finding',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('difference', models.JSONField()),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('started_at', models.DateTimeField(db_index=True)),
                ('finished_at', models.DateTimeField()),
                ('full', models.BooleanField()),
                ('seed', models.BigIntegerField()),
                ('clean', models.BooleanField()),
                ('checked', models.JSONField()),
                ('total', models.BigIntegerField()),
                ('differences', models.JSONField()),
            ],
        ),
        migrations.CreateModel(
            name='WindowTally',
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
            options={
                'indexes': [models.Index(fields=['minute'], name='window_tallies_by_minute')],
            },
        ),
    ]
