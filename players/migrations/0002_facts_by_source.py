import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('players', '0001_initial'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='bonususe',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['source_offset'], name='bonus_uses_by_source', opclasses=['int8_minmax_multi_ops'], pages_per_range=32),
        ),
        migrations.AddIndex(
            model_name='contact',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['source_offset'], name='contacts_by_source', opclasses=['int8_minmax_multi_ops'], pages_per_range=32),
        ),
        migrations.AddIndex(
            model_name='exclusionchange',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['source_offset'], name='exclusions_by_source', opclasses=['int8_minmax_multi_ops'], pages_per_range=32),
        ),
        migrations.AddIndex(
            model_name='limitchange',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['source_offset'], name='limits_by_source', opclasses=['int8_minmax_multi_ops'], pages_per_range=32),
        ),
        migrations.AddIndex(
            model_name='login',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['source_offset'], name='logins_by_source', opclasses=['int8_minmax_multi_ops'], pages_per_range=32),
        ),
    ]
