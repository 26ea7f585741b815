import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('players', '0005_digests_of_facts'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='login',
            index=models.Index(fields=['device_id', 'occurred_at'], name='logins_of_device'),
        ),
        migrations.AddIndex(
            model_name='login',
            index=models.Index(fields=['ip', 'occurred_at'], name='logins_from_ip'),
        ),
        migrations.AddIndex(
            model_name='login',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['occurred_at'], name='logins_by_time', opclasses=['timestamptz_minmax_multi_ops'], pages_per_range=32),
        ),
    ]
