"""For one machine: `make run`, and what is typed beside it."""

from pathlib import Path

import environ

# Where the servers of `make run` are; variables that are set are left as they are.
environ.Env.read_env(Path(__file__).resolve().parents[2] / ".local" / "run" / "environ")

from .base import *  # noqa: E402 - it reads the variables
from .base import ROOT, SECRET_KEY  # noqa: E402

SECRET_KEY = SECRET_KEY or "only-for-this-machine"
DEBUG = True
DEMO_USERS = ROOT / ".local" / "demo-users.json"
