"""What of the person's shell reaches the processes that are started here: what is meant for them, and nothing else.

Java reads options out of its environment, libpq where to connect, Python what to import, and all of them how to write
dates and texts; a shell that was set up for other work would change or break a server by it.
"""

import os

UMASK = 0o022
# In "C" Java cannot open a folder with an umlaut.
_PLAIN = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_KEPT = ("PATH", "HOME")
_KEPT_FOR_PYTHON = ("LD_LIBRARY_PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
# What Pitboss' settings read. By beginnings where they are, so that a name with a mistake in it is refused there and
# not lost here; other names that begin with KAFKA_ are those of Kafka's own scripts.
MEANT = frozenset(
    {
        "DATABASE_URL",
        "REDIS_URL",
        "REDIS_SILENT_SECONDS",
        "SECRET_KEY",
        "DEBUG",
        "ALLOWED_HOSTS",
        "METRICS_PORT",
        "LOG_LEVEL",
    }
    | {"DJANGO_SETTINGS_MODULE"}
)
MEANT_BEGINNINGS = (
    "PITBOSS_", "PLATFORM_", "STREAM_", "SCHEMA_REGISTRY_", "SCHEMAS_",
    "CLOCK_", "DATABASE_", "HEALTH_", "JOB_", "KEEP_", "OUTBOX_", "RECONCILE_", "SILENCE_", "WEB_", "WINDOW_",
    "KAFKA_BOOTSTRAP_", "KAFKA_SECURITY_", "KAFKA_SASL_", "KAFKA_SSL_", "KAFKA_TOPIC_",
)  # fmt: skip


def for_server() -> dict[str, str]:
    """The environment of a server, and of the tools that make its folder."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | _PLAIN


def for_pitboss() -> dict[str, str]:
    """The environment of Pitboss' own processes, before the servers' addresses are added."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT_FOR_PYTHON or is_meant(name)}
    return for_server() | kept


def is_meant(name: str) -> bool:
    """Whether a variable speaks to Pitboss."""
    return name in MEANT or name.startswith(MEANT_BEGINNINGS)
