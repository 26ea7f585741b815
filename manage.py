#!/usr/bin/env python
"""Django's command line for Pitboss."""

import os
import sys

from backoffice import settings

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings.default())
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
