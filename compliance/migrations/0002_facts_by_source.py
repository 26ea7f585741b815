import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('compliance', '0001_initial'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='operatoract',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['source_offset'], name='acts_by_source', opclasses=['int8_minmax_multi_ops'], pages_per_range=32),
        ),
    ]
