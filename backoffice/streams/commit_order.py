"""The order in which messages of one key leave: that in which their transactions committed.

Ids are drawn when a message is written, and a transaction that was begun early may commit late. So the position is
drawn at the commit itself, by a deferred trigger, under a lock that is held until others can see the commit: who comes
later to the same key has a greater position, and is seen later. Nobody waits for longer than a commit takes, whatever
long transactions there are, and the relay need not wait for any of them.

All messages of a transaction get one position, and keep the order of their ids among themselves. The locks of a
transaction with many keys are taken in one order, and are few: keys share them. That costs a message its second row
version, some 20 µs.
"""

from django.db import models

# Not by django-pgtrigger: its triggers can be ignored, and what has no position never leaves; they also ask for each
# row whether they are, which takes longer than all the rest. The first message of a transaction does it for all of
# them; they come in the order of their ids. There are 128 locks, under a number that nothing else locks.
IN_ORDER_OF_COMMITS = """
    CREATE SEQUENCE streams_outbox_position;
    CREATE FUNCTION streams_outbox_in_order_of_commits() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        shared integer;
        drawn bigint;
    BEGIN
        IF NOT EXISTS (SELECT FROM streams_outbox WHERE id = NEW.id AND position IS NULL) THEN
            RETURN NULL;
        END IF;
        FOR shared IN
            SELECT DISTINCT (key_hash & 127)::integer FROM streams_outbox
            WHERE id >= NEW.id AND position IS NULL AND key IS NOT NULL ORDER BY 1
        LOOP
            PERFORM pg_advisory_xact_lock(7011846, shared);
        END LOOP;
        drawn := nextval('streams_outbox_position');
        UPDATE streams_outbox SET position = drawn WHERE id >= NEW.id AND position IS NULL;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER in_order_of_commits AFTER INSERT ON streams_outbox
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION streams_outbox_in_order_of_commits();
"""


class KeyHash(models.Func):
    """The same number for all messages of one topic and key; one without a key has a number of its own."""

    template = "hashtextextended(topic || '/' || coalesce(md5(key), id::text), 0)"
    output_field = models.BigIntegerField()
