"""Settings shared by all environments. The environment is read here and nowhere else."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF

from backoffice import ended_metrics, metric_files

from . import given, servers
from .dated import dated_minutes

ROOT = Path(__file__).resolve().parents[2]

env = environ.Env()
servers.forget_libpq(os.environ)

SECRET_KEY = env.str("SECRET_KEY", default="")
DEBUG = given.flag("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])

DATABASE_URL = env.str("DATABASE_URL", default="postgresql://127.0.0.1:5432/pitboss")
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
SCHEMA_REGISTRY_URL = servers.registry(env.str("SCHEMA_REGISTRY_URL", default="http://127.0.0.1:8081"), os.environ)
KAFKA = servers.kafka(os.environ)
# Data recorded elsewhere, for development; it is no part of the project and may not be there.
RECORDED_DATA = Path(env.str("PITBOSS_DATA", default=str(ROOT.parent / "shared" / "data")))
KAFKA_TOPIC_PREFIX = env.str("KAFKA_TOPIC_PREFIX", default="")
# The licence under which alerts about the platform itself are kept; an alert names a country, even where none is meant.
PLATFORM_JURISDICTION = env.str("PLATFORM_JURISDICTION", default="MT")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "channels",
    "csp",
    "guardian",
    "pgtrigger",
    "auditlog",
    "django_prometheus",
    "backoffice.contracts",
    "backoffice.streams",
    "backoffice.access",
    "backoffice.live",
    "backoffice.metrics",
    "backoffice.reconcile",
    "backoffice.simulator",
    "players",
    "wallet",
    "trading",
    "compliance",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "backoffice.web.unavailable.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Ahead of all others that ask Postgres anything.
    "backoffice.web.unavailable.Unavailable",
    "auditlog.middleware.AuditlogMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

# Only what we serve ourselves, and nothing written into a page: no script, no style.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

ROOT_URLCONF = "backoffice.urls"
ASGI_APPLICATION = "backoffice.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["backoffice.access.permissions.Nobody"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
}

# What `check --deploy` asks of a Postgres: below these, a rebuild or a busy day is refused by the server.
POSTGRES_LEAST = {"server_version_num": 180_000, "max_locks_per_transaction": 256, "max_connections": 100}
DATABASES = {"default": servers.database(DATABASE_URL) | {"CONN_HEALTH_CHECKS": True}}
DATABASES["default"]["OPTIONS"] = {
    # Rebuilds and partition swaps change tables under prepared statements, which then fail; plain ones do not.
    "prepare_threshold": None,
    "connect_timeout": 5,
    # A server that is gone without a word, and not only slow, is noticed within half a minute and not after hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    # Unless DATABASE_URL names them.
    "fallback_application_name": servers.process_name(sys.argv),
} | DATABASES["default"]["OPTIONS"]
# A process of ours that is frozen in a transaction holds up whoever waits for its rows and tables no longer than this.
# A request does nothing but ask Postgres; commands and jobs also read Kafka, the registry and files in between.
DATABASE_SILENT = given.number("DATABASE_SILENT_SECONDS", 120.0, least=2, most=86_400)
_WEB_SILENT = given.number("DATABASE_WEB_SILENT_SECONDS", 30.0, least=2, most=86_400)
# A request waits so many seconds for a lock (and as long for its turn), and for a statement. So many requests of a
# process have a session at a time: a table that somebody holds costs who needs it, and no worker its place in Postgres.
# Who takes nothing of an answer for so many seconds keeps no session from others; so long may a request take to arrive,
# and so many bytes may it have.
WEB: dict[str, Any] = {
    "lock": given.number("DATABASE_WEB_LOCK_SECONDS", 2.0, least=0.1, most=60),
    "statement": given.number("DATABASE_WEB_STATEMENT_SECONDS", 15.0, least=0.1, most=600),
    "sessions": given.whole("DATABASE_WEB_SESSIONS", 20, least=1, most=1_000),
    "sending": given.number("WEB_SENDING_SECONDS", 10.0, least=0.1, most=600),
    "receiving": given.number("WEB_RECEIVING_SECONDS", 60.0, least=0.1, most=3_600),
    "body": given.whole("WEB_BODY_BYTES", 2_500_000, least=1_000, most=1_000_000_000),
}
# Django has no smaller bound of its own for forms. None is written to a disk, which many who ask at once could fill.
DATA_UPLOAD_MAX_MEMORY_SIZE = WEB["body"]
FILE_UPLOAD_MAX_MEMORY_SIZE = WEB["body"]
_GIVEN_OPTIONS = DATABASES["default"]["OPTIONS"].get("options", "")
DATABASES["default"]["OPTIONS"]["options"] = (
    servers.bounded(_GIVEN_OPTIONS, _WEB_SILENT, lock_timeout=WEB["lock"], statement_timeout=WEB["statement"])
    if servers.process_name(sys.argv) == servers.WEB
    else servers.bounded(_GIVEN_OPTIONS, DATABASE_SILENT)
)
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "live"
LOGOUT_REDIRECT_URL = "sign-in"
# The file with the passwords of the demo users, where there are any.
DEMO_USERS: Path | None = None

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend"]

CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
}

# Reconciliation by the clock. Times are seconds; of history a run reads so much again that all of it has its turn
# within a time, between two bounds: messages of the log, and rows of each table.
RECONCILE: dict[str, Any] = {
    "interval": given.number("RECONCILE_INTERVAL", 300.0, least=1, most=604_800),
    "again_within": given.number("RECONCILE_AGAIN_WITHIN", 7 * 86_400.0, least=60, most=31_536_000),
    "messages_at_least": given.whole("RECONCILE_MESSAGES_AT_LEAST", 2_000, least=1, most=100_000_000),
    "messages_at_most": given.whole("RECONCILE_MESSAGES_AT_MOST", 200_000, least=1, most=100_000_000),
    "rows_at_least": given.whole("RECONCILE_ROWS_AT_LEAST", 2_000, least=1, most=100_000_000),
    "rows_at_most": given.whole("RECONCILE_ROWS_AT_MOST", 50_000, least=1, most=100_000_000),
    # How far apart two topics may tell of one thing: a bet and its stake.
    "topics_apart": given.number("RECONCILE_TOPICS_APART", 600.0, least=0, most=604_800),
}

# How often (seconds) providers are judged by their limits of silence.
SILENCE_JUDGED_EVERY = given.number("SILENCE_JUDGED_EVERY", 10.0, least=1, most=3_600)

_BROKER = servers.redis_broker(REDIS_URL)
CELERY_BROKER_URL, CELERY_BROKER_USE_SSL = _BROKER.url, _BROKER.tls
# Redis may go without closing a connection (a fail-over, a firewall that forgets): beat and workers would then wait for
# ever. Longer than the second for which a worker's reading waits.
_REDIS_SILENT = given.number("REDIS_SILENT_SECONDS", 5.0, least=2, most=300)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": _REDIS_SILENT,
    "socket_connect_timeout": _REDIS_SILENT,
    "socket_keepalive": True,
    "health_check_interval": _REDIS_SILENT,
}
CELERY_TASK_DEFAULT_QUEUE = f"{KAFKA_TOPIC_PREFIX}celery"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# The streams do without Redis; a worker must not end with them because it is away for long, or takes no writes.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_WORKER_CONSUMER = "backoffice.broker:TaskConsumer"
CELERY_WORKER_POOL = "backoffice.pool:TaskPool"
# A task that hangs is not acknowledged; it must not keep others from being taken.
CELERY_WORKER_PREFETCH_MULTIPLIER = 0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "backoffice.beat:Scheduler"
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "make partitions": {"task": "streams.make_partitions", "schedule": crontab(hour="2", minute="10")},
    "roll up the windows": {"task": "metrics.roll_windows", "schedule": crontab(hour="3", minute="40")},
    "purge changes of status": {"task": "trading.purge_status_changes", "schedule": crontab(minute="40")},
    "purge feed runs": {"task": "trading.purge_feed_runs", "schedule": crontab(hour="4", minute="50")},
    "forget closed offers": {"task": "trading.forget_closed_offers", "schedule": crontab(hour="4", minute="20")},
    "purge tombstones": {"task": "streams.purge_tombstones", "schedule": crontab(hour="4", minute="50")},
    "purge the outbox": {"task": "streams.purge_outbox", "schedule": crontab(minute="25")},
    "judge silent providers": {"task": "trading.judge_silence", "schedule": SILENCE_JUDGED_EVERY},
    "purge what stopped and went on": {"task": "streams.purge_stops", "schedule": crontab(hour="4", minute="50")},
    "purge old reconciliations": {"task": "reconcile.purge", "schedule": crontab(hour="4", minute="40")},
    "clear sessions": {"task": "live.clear_sessions", "schedule": crontab(minute="55")},
    "reconcile": {"task": "reconcile.newest", "schedule": RECONCILE["interval"]},
}

# A job by the clock is overdue so many seconds after it was due; one that runs often, when so many runs were missed. It
# waits so many seconds for a lock (half the time to its next run at most), and for a statement. One that finds Postgres
# away is tried again after so many seconds at first, at most, and so many times.
JOBS: dict[str, Any] = {
    "late": given.number("JOB_LATE_AFTER", 900.0, least=1, most=604_800),
    "late_runs": given.number("JOB_LATE_RUNS", 2.0, least=0.5, most=1_000),
    "lock": given.number("JOB_LOCK_SECONDS", 30.0, least=0.1, most=3_600),
    "statement": given.number("JOB_STATEMENT_SECONDS", 3_600.0, least=1, most=86_400),
    "first_retry": given.whole("JOB_FIRST_RETRY", 10, least=1, most=86_400),
    "longest_retry": given.whole("JOB_LONGEST_RETRY", 600, least=1, most=86_400),
    "retries": given.whole("JOB_RETRIES", 20, least=0, most=10_000),
}

# Whoever asks for health or metrics is told within so many seconds what is known by then. Postgres is given so many for
# all that is read of it, and for each lock that is in the way.
HEALTH = {
    "answer": given.number("HEALTH_ANSWER_SECONDS", 3.0, least=0.5, most=60),
    "read": given.number("HEALTH_READ_SECONDS", 2.0, least=0.1, most=60),
    "lock": given.number("HEALTH_LOCK_SECONDS", 0.5, least=0.01, most=60),
}

# For how long each change of a market's status is kept, for those who follow them.
STATUS_CHANGES_KEPT = timedelta(days=given.number("KEEP_STATUS_CHANGES_DAYS", 7.0, least=0, most=36_500))
# For how long the newest run of a feed is known that tells of no market any more.
FEED_RUNS_KEPT = timedelta(days=given.number("KEEP_FEED_RUNS_DAYS", 30.0, least=1, most=36_500))
# For how long is kept what was sent and what a person discarded, what stopped and went on, and what was reconciled.
SENT_KEPT = timedelta(days=given.number("KEEP_SENT_DAYS", 7.0, least=0, most=36_500))
DISCARDED_KEPT = timedelta(days=given.number("KEEP_DISCARDED_DAYS", 365.0, least=0, most=36_500))
STOPS_KEPT = timedelta(days=given.number("KEEP_STOPS_DAYS", 365.0, least=0, most=36_500))
RUNS_KEPT = timedelta(days=given.number("KEEP_RUNS_DAYS", 90.0, least=0, most=36_500))
FINDINGS_KEPT = timedelta(days=given.number("KEEP_FINDINGS_DAYS", 365.0, least=0, most=36_500))

# One stream's limits. Sizes are messages, times are seconds.
STREAMS: dict[str, Any] = {
    "batch_size": given.whole("STREAM_BATCH_SIZE", 50_000, least=1, most=1_000_000),
    "batch_bytes": given.whole("STREAM_BATCH_BYTES", 16_000_000, least=1_000, most=1_000_000_000),
    "linger": given.number("STREAM_LINGER", 0.05, least=0.005, most=10),
    # Dead letters among the last `window` messages of a partition; when they are `minimum` at least and more than the
    # ratio, the topic's entry in the catalogue says what becomes of the partition.
    "dead_letter_window": given.whole("STREAM_DEAD_LETTER_WINDOW", 250, least=1, most=1_000_000),
    "dead_letter_ratio": given.number("STREAM_DEAD_LETTER_RATIO", 0.2, least=0, most=1),
    "dead_letter_minimum": given.whole("STREAM_DEAD_LETTER_MINIMUM", 10, least=1, most=1_000_000),
    # Seconds for which a lane that has work may store nothing before that is an alert.
    "stall": given.number("STREAM_STALL_SECONDS", 60.0, least=1, most=86_400),
}
# For how long what the schema registry said of an id is believed: after that it is asked once more when the id is used.
SCHEMAS_BELIEVED = timedelta(seconds=given.number("SCHEMAS_BELIEVED_SECONDS", 60.0, least=0, most=86_400))
# For how many days windows are kept by the minute; after that by the hour and by the day.
WINDOW_MINUTES_DAYS = given.whole("WINDOW_MINUTES_DAYS", 35, least=1, most=3_650)
# How far a producer's clock may be ahead of the broker's, from which moment of the log on: an event of after that is a
# dead letter. A value is followed by another one and never replaced, as what is stored was judged by it.
CLOCK_AHEAD = dated_minutes("CLOCK_AHEAD_MINUTES", env.str("CLOCK_AHEAD_MINUTES", default="15"))
# A worker whose own clock is further behind the brokers' than this says that it is wrong.
CLOCK_BEHIND = timedelta(seconds=given.number("CLOCK_BEHIND_SECONDS", 30.0, least=1, most=86_400))
# One that is further ahead of Postgres' clock, or of the brokers', says so too. A stored moment that is further ahead
# of now is wrong: it is no sign that anything was done of late.
CLOCK_FAST = timedelta(seconds=given.number("CLOCK_FAST_SECONDS", 30.0, least=1, most=86_400))
# A producer's clock that is further ahead of the broker's than this is counted and shown.
CLOCK_TOLERANCE = timedelta(seconds=given.number("CLOCK_TOLERANCE_SECONDS", 1.0, least=0, most=86_400))
# A message of the outbox that cannot be sent: tried again after so many seconds at first, at most; stuck after so many.
# A relay of which Postgres hears nothing for so many seconds loses its turn to another.
OUTBOX: dict[str, Any] = {
    "first_retry": given.number("OUTBOX_FIRST_RETRY", 1.0, least=0.1, most=86_400),
    "longest_retry": given.number("OUTBOX_LONGEST_RETRY", 60.0, least=0.1, most=86_400),
    "stuck_after": given.number("OUTBOX_STUCK_AFTER", 300.0, least=1, most=604_800),
    "replaced_after": given.number("OUTBOX_REPLACED_AFTER", 20.0, least=1, most=3_600),
}
# Where a worker serves its metrics; 0 picks no port and serves none.
METRICS_PORT = given.whole("METRICS_PORT", 0, least=0, most=65_535)
# Where processes of one machine share their metrics, for the web to tell of all of them. None where they do not.
METRICS_FOLDER = Path(shared) if (shared := env.str("PROMETHEUS_MULTIPROC_DIR", default="")) else None
if METRICS_FOLDER:
    # Here, for apps make their metrics as they are loaded, which comes next. One of the same number may have ended
    # before it, and whoever added up its file in the middle of that.
    ended_metrics.forget_ended(METRICS_FOLDER)
    metric_files.reserve()

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "static/"
STATIC_ROOT = ROOT / "static" / "collected"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": given.level("LOG_LEVEL", "INFO")},
    # It tells of every request, and the registry is asked whether it lives with every look at the status.
    "loggers": {"httpx2": {"level": "WARNING"}},
}
