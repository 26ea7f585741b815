from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0024_overdue_jobs'),
    ]

    operations = [
        migrations.AddField(
            model_name='clockedjob',
            name='began_at',
            field=models.DateTimeField(null=True),
        ),
    ]
