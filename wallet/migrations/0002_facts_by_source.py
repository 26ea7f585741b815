import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('wallet', '0001_initial'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='round',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['source_offset'], name='rounds_by_source', opclasses=['int8_minmax_multi_ops'], pages_per_range=32),
        ),
        migrations.AddIndex(
            model_name='transaction',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['source_offset'], name='transactions_by_source', opclasses=['int8_minmax_multi_ops'], pages_per_range=32),
        ),
    ]
