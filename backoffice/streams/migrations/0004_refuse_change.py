from django.db import migrations

from backoffice.streams.tables.immutable import REFUSE_CHANGE


class Migration(migrations.Migration):
    dependencies = [("streams", "0003_facts_of_health")]

    operations = [migrations.RunSQL(REFUSE_CHANGE, migrations.RunSQL.noop)]
