from django.db import migrations

FILL = """
INSERT INTO reconcile_windowtally (metric, minute, key, currency, topic, partition, count, amount, is_open)
SELECT 'ggr_' || span, date_trunc(span, minute, 'UTC'), key, currency, topic, partition, sum(count), sum(amount),
    bool_or(is_open)
FROM reconcile_windowtally, unnest(ARRAY['hour', 'day']) span WHERE metric = 'ggr' GROUP BY 1, 2, 3, 4, 5, 6
"""


class Migration(migrations.Migration):
    dependencies = [("reconcile", "0002_open_tallies"), ("metrics", "0003_revenue_by_hour_and_day")]

    operations = [
        migrations.RunSQL(FILL, "DELETE FROM reconcile_windowtally WHERE metric IN ('ggr_hour', 'ggr_day')"),
    ]
