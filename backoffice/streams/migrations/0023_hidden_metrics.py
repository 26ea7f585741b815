from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0022_wrong_clocks")]

    operations = [
        migrations.CreateModel(
            "HiddenMetrics",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("host", models.TextField()),
                ("pid", models.IntegerField()),
                ("told", models.TextField()),
                ("seen_at", models.DateTimeField()),
            ],
            options={
                "db_table": "streams_hidden_metrics",
                "constraints": [models.UniqueConstraint(fields=["host", "pid"], name="one_word_of_a_process")],
            },
        ),
    ]
