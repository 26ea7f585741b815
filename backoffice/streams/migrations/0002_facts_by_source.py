import django.contrib.postgres.indexes
import django.db.models.fields.json
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0001_initial'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='event',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['source_offset'], name='events_by_source', opclasses=['int8_minmax_multi_ops'], pages_per_range=32),
        ),
        migrations.AddIndex(
            model_name='outgoing',
            index=models.Index(models.F('topic'), django.db.models.fields.json.KeyTextTransform('partition', 'headers'), django.db.models.fields.json.KeyTextTransform('offset', 'headers'), condition=models.Q(('record', '')), name='outgoing_dead_letters'),
        ),
    ]
