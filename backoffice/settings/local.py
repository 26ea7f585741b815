"""For one machine: `make run`."""

from .base import *
from .base import SECRET_KEY

SECRET_KEY = SECRET_KEY or "only-for-this-machine"
DEBUG = True
