"""For real use: nothing has a soft default that would be unsafe."""

from django.core.exceptions import ImproperlyConfigured

from .base import *
from .base import DEBUG, SECRET_KEY, env

_GIVEN = (
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "DATABASE_URL",
    "REDIS_URL",
    "KAFKA_BOOTSTRAP_SERVERS",
    "SCHEMA_REGISTRY_URL",
)  # fmt: skip
if _missing := [name for name in _GIVEN if not env.str(name, default="")]:
    raise ImproperlyConfigured(
        f"{', '.join(_missing)}: not set. Put them into the environment; on your own machine start `make run`, or set"
        " DJANGO_SETTINGS_MODULE=backoffice.settings.local."
    )
if SECRET_KEY.startswith("only-for-"):
    raise ImproperlyConfigured("SECRET_KEY is one that everybody knows; put a long random text into the environment.")
if DEBUG:
    raise ImproperlyConfigured("DEBUG shows the inside of the program to everybody; unset it.")

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
