from django.db import migrations, models

SLOTS = 64
TABLES = ("auth_user_groups", "auth_user_user_permissions", "auth_group_permissions", "auth_permission")

COUNT = f"""
CREATE FUNCTION access_count_permission_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE access_permissionchanges SET number = number + 1 WHERE slot = pg_backend_pid() % {SLOTS};
    RETURN NULL;
END $$
"""
COUNTED = """
CREATE TRIGGER permission_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION access_count_permission_change()
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        migrations.CreateModel(
            name="PermissionChanges",
            fields=[
                ("slot", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("number", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.RunSQL(
            f"INSERT INTO access_permissionchanges SELECT n, 0 FROM generate_series(0, {SLOTS - 1}) n",
            "DELETE FROM access_permissionchanges",
        ),
        migrations.RunSQL(COUNT, "DROP FUNCTION access_count_permission_change()"),
        *(
            migrations.RunSQL(COUNTED.format(table=table), f"DROP TRIGGER permission_change ON {table}")
            for table in TABLES
        ),
    ]
