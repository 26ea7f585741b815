from django.db import migrations

FILL = """
INSERT INTO metrics_window (metric, minute, key, currency, topic, partition, count, amount)
SELECT 'ggr_' || span, date_trunc(span, minute, 'UTC'), key, currency, topic, partition, sum(count), sum(amount)
FROM metrics_window, unnest(ARRAY['hour', 'day']) span WHERE metric = 'ggr' GROUP BY 1, 2, 3, 4, 5, 6
"""


class Migration(migrations.Migration):
    dependencies = [("metrics", "0002_activity_to_the_minute")]

    operations = [
        migrations.RunSQL(FILL, "DELETE FROM metrics_window WHERE metric IN ('ggr_hour', 'ggr_day')"),
    ]
