"""For the workers of `make chaos`: what the tests have, and the second stream."""

from backoffice.settings.test import *  # noqa: F403 - settings are all its names
from backoffice.settings.test import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.apps.Chaos"]
