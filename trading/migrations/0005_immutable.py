import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations

from backoffice.streams.tables.immutable import guard_partitions


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0004_refuse_change'),
        ('trading', '0004_partitions_by_hash'),
    ]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name='settlement',
            trigger=pgtrigger.compiler.Trigger(name='immutable', sql=pgtrigger.compiler.UpsertTriggerSql(execute='refuse_change()', func='RETURN NULL;', hash='f04a292728eff4b752a656b1f243851d785b9651', operation='UPDATE OR DELETE', pgid='pgtrigger_immutable_8ca61', table='trading_settlement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='settlement',
            trigger=pgtrigger.compiler.Trigger(name='immutable_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(execute='refuse_change()', func='RETURN NULL;', hash='29a66cf85c0e6ec7a2562306443afe5d3dd8bfc9', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_immutable_truncate_b3d58', table='trading_settlement', when='BEFORE')),
        ),
        migrations.RunSQL(guard_partitions("trading_settlement"), migrations.RunSQL.noop),
    ]
