"""For the test suite: real servers, quick password hashing."""

import os

# No beat runs beside a test; jobs that run often would be overdue in each that takes a while.
os.environ.setdefault("JOB_LATE_RUNS", "1000")

from .base import *

SECRET_KEY = "only-for-tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Files are served from where they lie, as `make run` does, and need not be collected.
WHITENOISE_USE_FINDERS = True
