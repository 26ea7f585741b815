"""What the live pages tell Prometheus of themselves."""

from prometheus_client import Counter, Gauge

SOCKETS = Gauge("pitboss_live_sockets", "Open live sockets.", multiprocess_mode="livesum")
ILL = Gauge("pitboss_live_ill", "Parts of the live service that are not well.", ("kind",), multiprocess_mode="livesum")
SLOW_READERS = Counter("pitboss_live_slow_readers_total", "Times that a socket's queue was given up for a snapshot.")
READ_FAILURES = Counter("pitboss_live_read_failures_total", "Readings that failed.", ("publication",))
TASK_FAILURES = Counter("pitboss_live_task_failures_total", "Times that a task ended and began anew.", ("task",))
BAD_MESSAGES = Counter("pitboss_live_bad_messages_total", "Messages of workers that are none, or that nobody can use.")
GAPS = Counter("pitboss_live_gaps_total", "Times that a message may have been missed, and all was read anew.")
UNPUBLISHED = Counter("pitboss_live_unpublished_total", "Messages to the live pages dropped because Redis is away.")
SKIPPED = Counter("pitboss_live_skipped_total", "Entries of a log too many to be shown.", ("publication",))
UNCHECKED = Counter("pitboss_live_unchecked_total", "Sockets closed because their session could not be checked.")
