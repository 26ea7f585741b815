import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('wallet', '0005_digests_of_facts'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(fields=['instrument_id'], name='payments_of_instrument'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('status__in', ['initiated', 'requested'])), fields=['status', 'status_at'], name='unfinished_payments'),
        ),
        migrations.AddIndex(
            model_name='round',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['occurred_at'], name='rounds_by_time', opclasses=['timestamptz_minmax_multi_ops'], pages_per_range=32),
        ),
        migrations.AddIndex(
            model_name='transaction',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['occurred_at'], name='transactions_by_time', opclasses=['timestamptz_minmax_multi_ops'], pages_per_range=32),
        ),
        migrations.AddIndex(
            model_name='transfer',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['occurred_at'], name='transfers_by_time', opclasses=['timestamptz_minmax_multi_ops'], pages_per_range=32),
        ),
    ]
