"""The numbers of Postgres' advisory locks, all in one place so that no two things lock the same."""

# One relay sends at a time, so that order is kept; the others stand by and try again.
RELAY = 7_011_846_101
# Runs by the clock and runs over everything go on side by side, each kind alone: a second one is refused.
RECONCILE_BY_THE_CLOCK = 7_011_846_102
RECONCILE_OF_EVERYTHING = 7_011_846_104
# But their steps take turns, since both note what they find: one waits for the other.
RECONCILE_STEP = 7_011_846_103
# Jobs whose work people do by hand, too, and under which of these it is done.
BY_HAND = {"reconcile.newest": RECONCILE_BY_THE_CLOCK}
# Whoever closes dead letters asks under it, to the end of the transaction, which of an alert are still open.
ALERTS_OF_LETTERS = 7_011_846_105

# Those of two numbers; the first says what they are for.

# With a number below 128 that keys of the outbox share: held from a transaction's last statement to its commit.
# Written out in the trigger, which a migration keeps as it is.
OUTBOX_KEYS = 7_011_846
# With the hash of a table's name: a second rebuild of it is refused.
REBUILD = 7_011_847
# With the hash of a job's name: a second run of it is not begun.
JOB = 7_011_848
# With the hash of a topic's name: one at a time decides on its senders, to the end of the transaction.
DIVERSIONS = 7_011_849
