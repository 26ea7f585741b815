from django.db import migrations, models

# What was checked is checked anew: the books know more than before of each message.
FORGET = "DELETE FROM reconcile_checked"
# A run over everything can begin again; nothing of its books needs to survive a crash of Postgres, which empties all.
UNLOGGED = [
    f"ALTER TABLE reconcile_full{name} SET UNLOGGED"
    for name in ("checked", "windowtally", "balancetally", "statetally", "walk")
]


class Migration(migrations.Migration):

    dependencies = [("reconcile", "0003_revenue_by_hour_and_day")]

    operations = [
        migrations.RunSQL(FORGET, migrations.RunSQL.noop),
        migrations.DeleteModel("WindowTally"),
        migrations.DeleteModel("BalanceTally"),
        migrations.CreateModel(
            name='FullChecked',
            fields=[
                ('pk', models.CompositePrimaryKey('stream', 'topic', 'partition', blank=True, editable=False, primary_key=True, serialize=False)),
                ('stream', models.TextField()),
                ('topic', models.TextField()),
                ('partition', models.SmallIntegerField()),
                ('since', models.BigIntegerField()),
                ('next', models.BigIntegerField()),
                ('checked_at', models.DateTimeField()),
                ('again', models.BigIntegerField(db_default=0, default=0)),
                ('rounds', models.IntegerField(db_default=0, default=0)),
                ('round_began_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='FullStateTally',
            fields=[
                ('pk', models.CompositePrimaryKey('state', 'key', blank=True, editable=False, primary_key=True, serialize=False)),
                ('state', models.TextField()),
                ('key', models.TextField(db_collation='C')),
                ('version', models.JSONField()),
            ],
        ),
        migrations.CreateModel(
            name='FullWalk',
            fields=[
                ('name', models.TextField(primary_key=True, serialize=False)),
                ('after', models.JSONField(null=True)),
                ('rounds', models.IntegerField(db_default=0, default=0)),
                ('round_began_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='StateTally',
            fields=[
                ('pk', models.CompositePrimaryKey('state', 'key', blank=True, editable=False, primary_key=True, serialize=False)),
                ('state', models.TextField()),
                ('key', models.TextField(db_collation='C')),
                ('version', models.JSONField()),
            ],
        ),
        migrations.CreateModel(
            name='Walk',
            fields=[
                ('name', models.TextField(primary_key=True, serialize=False)),
                ('after', models.JSONField(null=True)),
                ('rounds', models.IntegerField(db_default=0, default=0)),
                ('round_began_at', models.DateTimeField()),
            ],
        ),
        migrations.RemoveField(
            model_name='run',
            name='seed',
        ),
        migrations.AddField(
            model_name='checked',
            name='again',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='checked',
            name='round_began_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='checked',
            name='rounds',
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='run',
            name='named',
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AlterField(
            model_name='run',
            name='finished_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name='BalanceTally',
            fields=[
                ('pk', models.CompositePrimaryKey('book', 'account_id', 'partition', blank=True, editable=False, primary_key=True, serialize=False)),
                ('book', models.TextField()),
                ('account_id', models.UUIDField()),
                ('partition', models.SmallIntegerField()),
                ('debits', models.BigIntegerField()),
                ('credits', models.BigIntegerField()),
                ('is_open', models.BooleanField(db_default=False, default=False)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('is_open', True)), fields=['book', 'partition'], name='open_balancetally')],
            },
        ),
        migrations.CreateModel(
            name='FullBalanceTally',
            fields=[
                ('pk', models.CompositePrimaryKey('book', 'account_id', 'partition', blank=True, editable=False, primary_key=True, serialize=False)),
                ('book', models.TextField()),
                ('account_id', models.UUIDField()),
                ('partition', models.SmallIntegerField()),
                ('debits', models.BigIntegerField()),
                ('credits', models.BigIntegerField()),
                ('is_open', models.BooleanField(db_default=False, default=False)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('is_open', True)), fields=['book', 'partition'], name='open_fullbalancetally')],
            },
        ),
        migrations.CreateModel(
            name='FullWindowTally',
            fields=[
                ('pk', models.CompositePrimaryKey('metric', 'minute', 'key', 'currency', 'topic', 'partition', 'stream', blank=True, editable=False, primary_key=True, serialize=False)),
                ('metric', models.TextField()),
                ('minute', models.DateTimeField()),
                ('key', models.TextField()),
                ('currency', models.TextField()),
                ('topic', models.TextField()),
                ('partition', models.SmallIntegerField()),
                ('stream', models.TextField()),
                ('count', models.BigIntegerField()),
                ('amount', models.BigIntegerField()),
                ('is_open', models.BooleanField(db_default=False, default=False)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('is_open', True)), fields=['topic', 'partition'], name='open_fullwindowtally')],
            },
        ),
        migrations.CreateModel(
            name='WindowTally',
            fields=[
                ('pk', models.CompositePrimaryKey('metric', 'minute', 'key', 'currency', 'topic', 'partition', 'stream', blank=True, editable=False, primary_key=True, serialize=False)),
                ('metric', models.TextField()),
                ('minute', models.DateTimeField()),
                ('key', models.TextField()),
                ('currency', models.TextField()),
                ('topic', models.TextField()),
                ('partition', models.SmallIntegerField()),
                ('stream', models.TextField()),
                ('count', models.BigIntegerField()),
                ('amount', models.BigIntegerField()),
                ('is_open', models.BooleanField(db_default=False, default=False)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('is_open', True)), fields=['topic', 'partition'], name='open_windowtally')],
            },
        ),
        migrations.RunSQL(UNLOGGED, migrations.RunSQL.noop),
    ]
