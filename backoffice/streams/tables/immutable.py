"""Tables whose rows the database itself refuses to change or delete, declared in a model's ``Meta.triggers``.

django-pgtrigger puts the triggers on the table and tells when they are missing. They run a function of our own: those
that the library writes let every row pass in a session that sets ``pgtrigger.ignore``.
"""

from typing import Any

import pgtrigger

REFUSE_CHANGE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION '% is append-only; correct it with a reversing entry', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
"""


class Refusal(pgtrigger.Trigger):
    when = pgtrigger.Before
    func = "RETURN NULL;"

    def render_execute(self, _: Any) -> str:
        return "refuse_change()"


IMMUTABLE = [
    Refusal(name="immutable", operation=pgtrigger.Update | pgtrigger.Delete),
    Refusal(name="immutable_truncate", operation=pgtrigger.Truncate, level=pgtrigger.Statement),
]


def guard_partitions(table: str) -> str:
    """The statement that makes each partition refuse TRUNCATE: Postgres gives it only triggers for rows."""
    return f"""
DO $$ DECLARE part regclass; BEGIN
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = '"{table}"'::regclass LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER immutable_truncate BEFORE TRUNCATE ON %s'
            ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', part);
    END LOOP;
END $$
"""  # noqa: S608 - of a name in a migration
