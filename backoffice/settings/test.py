"""For the test suite: real servers, quick password hashing."""

from .base import *

SECRET_KEY = "only-for-tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Files are served from where they lie, as `make run` does, and need not be collected.
WHITENOISE_USE_FINDERS = True
