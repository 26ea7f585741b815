import django.contrib.postgres.fields
from django.db import migrations, models

from backoffice.streams.tables.operations import CreatePartitioned


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Market',
            fields=[
                ('id', models.TextField(primary_key=True, serialize=False)),
                ('sport_event_id', models.TextField(db_index=True)),
                ('provider', models.TextField()),
                ('type', models.TextField()),
                ('name', models.TextField()),
                ('line', models.TextField(null=True)),
                ('status', models.TextField()),
                ('is_in_play', models.BooleanField()),
                ('bet_delay', models.IntegerField()),
                ('winners', models.IntegerField()),
                ('currency', models.TextField()),
                ('traded_volume', models.BigIntegerField(null=True)),
                ('version', models.BigIntegerField()),
                ('version_at', models.DateTimeField()),
                ('version_event', models.UUIDField()),
            ],
        ),
        migrations.CreateModel(
            name='Offer',
            fields=[
                ('market_id', models.TextField(primary_key=True, serialize=False)),
                ('sport_event_id', models.TextField(db_index=True)),
                ('status', models.TextField()),
                ('is_in_play', models.BooleanField()),
                ('margin_ppm', models.BigIntegerField()),
                ('method', models.TextField()),
                ('version', models.BigIntegerField()),
                ('version_at', models.DateTimeField()),
                ('version_event', models.UUIDField()),
            ],
        ),
        migrations.CreateModel(
            name='Outcome',
            fields=[
                ('pk', models.CompositePrimaryKey('market_id', 'outcome_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('market_id', models.TextField()),
                ('outcome_id', models.TextField()),
                ('name', models.TextField()),
                ('status', models.TextField()),
                ('back_odds', models.BigIntegerField(null=True)),
                ('back_size', models.BigIntegerField(null=True)),
                ('lay_odds', models.BigIntegerField(null=True)),
                ('lay_size', models.BigIntegerField(null=True)),
                ('last_odds', models.BigIntegerField(null=True)),
                ('version', models.BigIntegerField()),
                ('version_at', models.DateTimeField()),
                ('version_event', models.UUIDField()),
            ],
        ),
        migrations.CreateModel(
            name='Price',
            fields=[
                ('pk', models.CompositePrimaryKey('market_id', 'outcome_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('market_id', models.TextField()),
                ('outcome_id', models.TextField()),
                ('odds', models.BigIntegerField()),
                ('probability_ppm', models.BigIntegerField()),
                ('version', models.BigIntegerField()),
                ('version_at', models.DateTimeField()),
                ('version_event', models.UUIDField()),
            ],
        ),
        CreatePartitioned(
            by='id',
            name='Bet',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('event_id', models.UUIDField()),
                ('player_id', models.UUIDField()),
                ('brand', models.TextField()),
                ('jurisdiction', models.TextField()),
                ('currency', models.TextField()),
                ('stake', models.BigIntegerField()),
                ('potential_payout', models.BigIntegerField()),
                ('kind', models.TextField()),
                ('system_size', models.IntegerField()),
                ('channel', models.TextField()),
                ('is_in_play', models.BooleanField()),
                ('is_free_bet', models.BooleanField()),
                ('bonus_id', models.UUIDField(null=True)),
                ('occurred_at', models.DateTimeField()),
                ('source_partition', models.SmallIntegerField()),
                ('source_offset', models.BigIntegerField()),
            ],
            options={
                'indexes': [models.Index(fields=['player_id', 'occurred_at'], name='bets_of_player')],
            },
        ),
        CreatePartitioned(
            by='bet_id',
            name='Leg',
            fields=[
                ('pk', models.CompositePrimaryKey('bet_id', 'leg_no', blank=True, editable=False, primary_key=True, serialize=False)),
                ('bet_id', models.UUIDField()),
                ('leg_no', models.IntegerField()),
                ('sport', models.TextField()),
                ('sport_event_id', models.TextField()),
                ('market_id', models.TextField()),
                ('outcome_id', models.TextField()),
                ('odds', models.BigIntegerField()),
                ('is_in_play', models.BooleanField()),
            ],
            options={
                'indexes': [models.Index(fields=['market_id', 'outcome_id'], name='legs_of_market')],
            },
        ),
        CreatePartitioned(
            by='event_id',
            name='Settlement',
            fields=[
                ('event_id', models.UUIDField(primary_key=True, serialize=False)),
                ('bet_id', models.UUIDField()),
                ('record', models.TextField()),
                ('settlement_no', models.IntegerField()),
                ('player_id', models.UUIDField()),
                ('brand', models.TextField()),
                ('jurisdiction', models.TextField()),
                ('currency', models.TextField()),
                ('stake', models.BigIntegerField()),
                ('payout', models.BigIntegerField()),
                ('previous_payout', models.BigIntegerField()),
                ('reason', models.TextField(null=True)),
                ('legs', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), null=True, size=None)),
                ('results', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True, size=None)),
                ('void_factors', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), null=True, size=None)),
                ('dead_heat_factors', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), null=True, size=None)),
                ('occurred_at', models.DateTimeField()),
                ('source_partition', models.SmallIntegerField()),
                ('source_offset', models.BigIntegerField()),
            ],
            options={
                'indexes': [models.Index(fields=['bet_id', 'settlement_no'], name='settlements_of_bet')],
            },
        ),
        migrations.CreateModel(
            name='SportEvent',
            fields=[
                ('id', models.TextField(primary_key=True, serialize=False)),
                ('provider', models.TextField()),
                ('sport', models.TextField()),
                ('competition', models.TextField()),
                ('name', models.TextField()),
                ('starts_at', models.DateTimeField(null=True)),
                ('seen_at', models.DateTimeField()),
                ('seen_event', models.UUIDField()),
            ],
            options={
                'indexes': [models.Index(fields=['starts_at'], name='sport_events_by_start')],
            },
        ),
    ]
