from django.db import migrations, models

from backoffice.streams.tables.operations import CreatePartitioned


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Balance',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'partition', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account_id', models.UUIDField()),
                ('partition', models.SmallIntegerField()),
                ('debits', models.BigIntegerField()),
                ('credits', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('kind', models.TextField(choices=[('cash', 'Cash'), ('bonus', 'Bonus'), ('open_bets', 'Open Bets'), ('pending_withdrawals', 'Pending Withdrawals'), ('clearing', 'Clearing'), ('revenue', 'Revenue'), ('bonus_cost', 'Bonus Cost'), ('adjustments', 'Adjustments')])),
                ('player_id', models.UUIDField(null=True)),
                ('subject', models.TextField()),
                ('currency', models.TextField()),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('player_id__isnull', False)), fields=['player_id'], name='accounts_of_player')],
            },
        ),
        migrations.CreateModel(
            name='Payment',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('direction', models.TextField()),
                ('player_id', models.UUIDField()),
                ('brand', models.TextField()),
                ('jurisdiction', models.TextField()),
                ('method', models.TextField()),
                ('provider', models.TextField()),
                ('instrument_id', models.TextField()),
                ('currency', models.TextField()),
                ('amount', models.BigIntegerField()),
                ('status', models.TextField()),
                ('decline_reason', models.TextField(null=True)),
                ('status_at', models.DateTimeField()),
                ('status_event', models.UUIDField()),
            ],
            options={
                'indexes': [models.Index(fields=['player_id', 'status_at'], name='payments_of_player')],
            },
        ),
        CreatePartitioned(
            by='id',
            name='Round',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('event_id', models.UUIDField()),
                ('player_id', models.UUIDField()),
                ('brand', models.TextField()),
                ('jurisdiction', models.TextField()),
                ('game_id', models.TextField()),
                ('provider', models.TextField()),
                ('vertical', models.TextField()),
                ('currency', models.TextField()),
                ('stake', models.BigIntegerField()),
                ('win', models.BigIntegerField()),
                ('jackpot_win', models.BigIntegerField()),
                ('bonus_stake', models.BigIntegerField()),
                ('bonus_win', models.BigIntegerField()),
                ('session_id', models.UUIDField(null=True)),
                ('started_at', models.DateTimeField()),
                ('occurred_at', models.DateTimeField()),
                ('source_partition', models.SmallIntegerField()),
                ('source_offset', models.BigIntegerField()),
            ],
            options={
                'indexes': [models.Index(fields=['player_id', 'occurred_at'], name='rounds_of_player')],
            },
        ),
        CreatePartitioned(
            by='event_id',
            name='Transaction',
            fields=[
                ('event_id', models.UUIDField(primary_key=True, serialize=False)),
                ('record', models.TextField()),
                ('player_id', models.UUIDField()),
                ('brand', models.TextField()),
                ('jurisdiction', models.TextField()),
                ('currency', models.TextField()),
                ('amount', models.BigIntegerField()),
                ('bonus_amount', models.BigIntegerField(null=True)),
                ('vertical', models.TextField(null=True)),
                ('payment_id', models.UUIDField(null=True)),
                ('bet_id', models.UUIDField(null=True)),
                ('round_id', models.UUIDField(null=True)),
                ('bonus_id', models.UUIDField(null=True)),
                ('reason', models.TextField(null=True)),
                ('actor', models.TextField(null=True)),
                ('occurred_at', models.DateTimeField()),
                ('source_partition', models.SmallIntegerField()),
                ('source_offset', models.BigIntegerField()),
            ],
            options={
                'indexes': [models.Index(fields=['player_id', 'occurred_at'], name='transactions_of_player'), models.Index(condition=models.Q(('payment_id__isnull', False)), fields=['payment_id'], name='history_of_payment')],
            },
        ),
        CreatePartitioned(
            by='event_id',
            name='Transfer',
            fields=[
                ('pk', models.CompositePrimaryKey('event_id', 'number', blank=True, editable=False, primary_key=True, serialize=False)),
                ('event_id', models.UUIDField()),
                ('number', models.SmallIntegerField()),
                ('debit_account', models.UUIDField()),
                ('credit_account', models.UUIDField()),
                ('amount', models.BigIntegerField()),
                ('currency', models.TextField()),
                ('record', models.TextField()),
                ('occurred_at', models.DateTimeField()),
                ('source_partition', models.SmallIntegerField()),
            ],
            options={
                'indexes': [models.Index(fields=['debit_account', 'occurred_at'], name='transfers_from'), models.Index(fields=['credit_account', 'occurred_at'], name='transfers_to')],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='transfer_moves_something'), models.CheckConstraint(condition=models.Q(('debit_account', models.F('credit_account')), _negated=True), name='transfer_between_two')],
            },
        ),
    ]
