"""For one machine: `make run`, and what is typed beside it."""

from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

# Where the servers of `make run` are; variables that are set are left as they are.
environ.Env.read_env(Path(__file__).resolve().parents[2] / ".local" / "run" / "environ")

from .base import *  # noqa: E402 - it reads the variables
from .base import ALLOWED_HOSTS, ROOT, SECRET_KEY  # noqa: E402

if _others := sorted(set(ALLOWED_HOSTS) - {"127.0.0.1", "localhost", "[::1]"}):
    raise ImproperlyConfigured(
        f"ALLOWED_HOSTS names {_others[0]}, and these settings are for one machine alone; set"
        " DJANGO_SETTINGS_MODULE=backoffice.settings.production."
    )

SECRET_KEY = SECRET_KEY or "only-for-this-machine"
DEBUG = True
DEMO_USERS = ROOT / ".local" / "demo-users.json"
