import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('trading', '0001_initial'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='bet',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['source_offset'], name='bets_by_source', opclasses=['int8_minmax_multi_ops'], pages_per_range=32),
        ),
        migrations.AddIndex(
            model_name='settlement',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['source_offset'], name='settlements_by_source', opclasses=['int8_minmax_multi_ops'], pages_per_range=32),
        ),
    ]
