import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations

from backoffice.streams.tables.immutable import guard_partitions


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0004_refuse_change'),
        ('wallet', '0003_partitions_by_hash'),
    ]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name='transaction',
            trigger=pgtrigger.compiler.Trigger(name='immutable', sql=pgtrigger.compiler.UpsertTriggerSql(execute='refuse_change()', func='RETURN NULL;', hash='3dd8b9853fa5d80269dadc9dc184e666213f0000', operation='UPDATE OR DELETE', pgid='pgtrigger_immutable_e9b0e', table='wallet_transaction', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='transaction',
            trigger=pgtrigger.compiler.Trigger(name='immutable_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(execute='refuse_change()', func='RETURN NULL;', hash='d5c4412ca77666a68e012271dba04d0bd4f2ebbd', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_immutable_truncate_602b7', table='wallet_transaction', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='transfer',
            trigger=pgtrigger.compiler.Trigger(name='immutable', sql=pgtrigger.compiler.UpsertTriggerSql(execute='refuse_change()', func='RETURN NULL;', hash='3066001c21f40e375c2e160bb0542ffa0ecb3599', operation='UPDATE OR DELETE', pgid='pgtrigger_immutable_57223', table='wallet_transfer', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='transfer',
            trigger=pgtrigger.compiler.Trigger(name='immutable_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(execute='refuse_change()', func='RETURN NULL;', hash='40aec0e63809a9632257c4ef4941c34fe722e40c', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_immutable_truncate_11669', table='wallet_transfer', when='BEFORE')),
        ),
        migrations.RunSQL(guard_partitions("wallet_transaction"), migrations.RunSQL.noop),
        migrations.RunSQL(guard_partitions("wallet_transfer"), migrations.RunSQL.noop),
    ]
