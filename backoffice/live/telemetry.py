"""What the live pages tell Prometheus of themselves."""

from prometheus_client import Counter, Gauge

SOCKETS = Gauge("pitboss_live_sockets", "Open live sockets.", multiprocess_mode="livesum")
SLOW_READERS = Counter("pitboss_live_slow_readers_total", "Times that a socket's queue was given up for a snapshot.")
READ_FAILURES = Counter("pitboss_live_read_failures_total", "Snapshots that could not be read.", ("publication",))
UNPUBLISHED = Counter("pitboss_live_unpublished_total", "Messages to the live pages dropped because Redis is away.")
