"""For one machine: `make run`."""

from .base import *
from .base import ROOT, SECRET_KEY

SECRET_KEY = SECRET_KEY or "only-for-this-machine"
DEBUG = True
DEMO_USERS = ROOT / ".local" / "demo-users.json"
