from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("wallet", "0007_order_of_the_log")]

    operations = [
        migrations.AddIndex(
            "transaction",
            models.Index(fields=["bet_id"], name="history_of_bet", condition=models.Q(bet_id__isnull=False)),
        ),
    ]
