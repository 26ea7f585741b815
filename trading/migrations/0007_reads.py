import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('trading', '0006_digests_of_facts'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='bet',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['occurred_at'], name='bets_by_time', opclasses=['timestamptz_minmax_multi_ops'], pages_per_range=32),
        ),
        migrations.AddIndex(
            model_name='settlement',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['occurred_at'], name='settlements_by_time', opclasses=['timestamptz_minmax_multi_ops'], pages_per_range=32),
        ),
    ]
